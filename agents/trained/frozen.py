"""A trained policy as an agent: what its cell carries and what it is told, as stores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from metalocus.agents.agent import Agent, Array, NonFinite, Stores
from metalocus.agents.cells.base import Carry
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.envs import InvalidTask, Layout

CONTEXT = {"action": ("action",), "reward": ("reward",), "trial": ("first", "time")}
"""What the agent keeps for its next observation, with the parts that are made of it."""


class TrainedAgent(Agent):
    """A frozen policy, driven through the agent interface.

    What the cell carries goes to the store that the cell declares. The context also keeps what the
    next observation is made of: the previous ``action`` [N], -1 at the first trial, the previous
    ``reward`` [N], 0 at the first trial, and the number of the ``trial`` [N]. Each of the three is
    kept only if the policy sees a part of the observation that is made of it.

    Args:
        policy: on the CPU; it is not changed.
        layout: of the observations it was trained on.

    Raises:
        NonFinite: a weight is NaN or infinite.
        InvalidTask: a weight is complex.
    """

    def __init__(self, policy: SequencePolicy, layout: Layout) -> None:
        _require_real_and_finite(policy.state_dict())
        policy.set_training_mode(False)
        self.policy, self.layout = policy, layout
        seen = set(range(layout.size) if policy.inputs is None else policy.inputs)
        self.context = [
            name for name, parts in CONTEXT.items() if seen.intersection(layout.indices(parts))
        ]

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The cell's initial tensors, and a first trial with no transition before it."""
        first = _first_trial(n)
        context = {name: first[name] for name in self.context}
        carried = to_stores(self.policy.cell.initial(n), self.policy.cell.carried)
        return carried.updated(Stores(context=context))

    def observation(self, stimulus: Array, stores: Stores) -> Array:
        """What the policy is shown, [N, D]; parts that it does not see are as at a first trial."""
        told = {**_first_trial(len(stimulus)), **{k: stores.context[k] for k in self.context}}
        return self.layout.encode(stimulus, told["action"], told["reward"], told["trial"])

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """One step of the policy."""
        return self.respond(self.observation(stimulus, stores), stores)

    def respond(self, obs: Array, stores: Stores) -> tuple[Array, Stores]:
        """Action probabilities [N, K] and new stores, from an observation [N, D]."""
        actor, critic, after = self.features(obs, stores)
        with torch.no_grad():
            log_probs = self.policy.read_out(actor, critic)[0].log_probs  # type: ignore[attr-defined]
        return probabilities(log_probs), after

    def features(self, obs: Array, stores: Stores) -> tuple[Tensor, Tensor, Stores]:
        """One step of the cell: actor's and critic's features [N, H] each, and new stores."""
        n, cell = len(obs), self.policy.cell
        carry = {**to_carry(stores, cell.carried), **self.policy.critic_carry(n)}
        with torch.no_grad():  # what a separate critic carries plays no part in acting
            actor, critic, after = self.policy.features(
                torch.from_numpy(obs)[None], carry, torch.zeros(1, n)
            )
        return actor, critic, stores.updated(to_stores(after, cell.carried))

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Keep the transition for the next observation."""
        told = {"action": action, "reward": reward}
        if "trial" in self.context:
            told["trial"] = stores.context["trial"] + 1
        return stores.updated(Stores(context={name: told[name] for name in self.context}))

    def parameters(self) -> dict[str, Array]:
        """All trained parameters, by name."""
        return {name: p.detach().numpy() for name, p in self.policy.named_parameters()}


def to_stores(carry: Carry, carried: Mapping[str, str]) -> Stores:
    """What a cell carries, each tensor as an array in its store; ``carried`` names the stores."""
    stores = Stores()
    for name, store in carried.items():
        stores = stores.updated(Stores(**{store: {name: carry[name].detach().numpy()}}))
    return stores


def to_carry(stores: Stores, carried: Mapping[str, str]) -> Carry:
    """What a cell carries, back from the stores."""
    return {name: torch.from_numpy(getattr(stores, store)[name]) for name, store in carried.items()}


def probabilities(log_probs: Tensor) -> Array:
    """[N, K] -> float64 [N, K]."""
    probs: Array = log_probs.exp().numpy().astype(np.float64)
    return probs


def _first_trial(n: int) -> dict[str, Array]:
    """What :data:`CONTEXT` names, at the first trial of n episodes."""
    return {"action": np.full(n, -1), "reward": np.zeros(n), "trial": np.zeros(n, dtype=np.int64)}


def _require_real_and_finite(weights: Mapping[str, Tensor]) -> None:
    for name, tensor in weights.items():
        if tensor.is_complex():
            raise InvalidTask(f"the weights {name} are complex numbers; a policy has real ones")
        if not torch.isfinite(tensor).all():
            raise NonFinite(f"the weights {name} are not finite; train the agent again")
