"""A trained policy as an agent: what its cell carries and what it is told, as stores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from metalocus.agents.agent import Array, Stores
from metalocus.agents.cells.base import Carry
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.trained.observing import ObservingAgent, require_real_and_finite
from metalocus.envs import Layout


class TrainedAgent(ObservingAgent):
    """A frozen policy, driven through the agent interface.

    What the cell carries goes to the store that the cell declares.

    Args:
        policy: on the CPU; it is not changed.
        layout: of the observations it was trained on.

    Raises:
        NonFinite: a weight is NaN or infinite.
        InvalidTask: a weight is complex.
    """

    def __init__(self, policy: SequencePolicy, layout: Layout) -> None:
        require_real_and_finite(policy.state_dict())
        policy.set_training_mode(False)
        self.policy = policy
        super().__init__(layout, policy.inputs)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The cell's initial tensors, and a first trial with no transition before it."""
        carried = to_stores(self.policy.cell.initial(n), self.policy.cell.carried)
        return carried.updated(super().start(n, rng))

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
