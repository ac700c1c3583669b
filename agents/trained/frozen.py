"""A trained policy as an agent: its carried tensors and its feedback as stores."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from metalocus.agents.agent import STORES, Agent, Array, Stores
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.envs import Layout

_FEEDBACK = "feedback"


class TrainedAgent(Agent):
    """A frozen policy, driven through the agent interface.

    What the cell carries goes to the store that the cell declares. The previous action and
    reward, as far as the policy sees them, stand in ``context["feedback"]`` [N, D], an
    observation without its stimulus; a policy that sees no feedback has no context.

    Args:
        policy: on the CPU; it is not changed.
        layout: of the observations it was trained on.
    """

    def __init__(self, policy: SequencePolicy, layout: Layout) -> None:
        policy.set_training_mode(False)
        self.policy, self.layout = policy, layout
        seen = range(layout.size) if policy.inputs is None else policy.inputs
        given = set(layout.indices(("stimulus",)))
        self._seen = np.isin(np.arange(layout.size), [i for i in seen if i not in given])

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The cell's initial tensors, and the feedback of a first trial."""
        stores: dict[str, dict[str, Array]] = {store: {} for store in STORES}
        for name, value in self.policy.cell.initial(n).items():
            stores[self.policy.cell.carried[name]][name] = value.detach().numpy()
        if self._seen.any():
            stores["context"][_FEEDBACK] = self._feedback(np.full(n, -1), np.zeros(n), 0)
        return Stores(**stores)

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """One step of the policy."""
        actor, critic, after = self.features(stimulus, stores)
        with torch.no_grad():
            log_probs = self.policy.read_out(actor, critic)[0].log_probs  # type: ignore[attr-defined]
        return probabilities(log_probs), after

    def features(self, stimulus: Array, stores: Stores) -> tuple[Tensor, Tensor, Stores]:
        """One step of the cell: actor's and critic's features [N, H], and what is carried on."""
        n = len(stimulus)
        blank = np.zeros((n, self.layout.size), dtype=np.float32)
        obs = stores.context.get(_FEEDBACK, blank).copy()
        if "stimulus" in self.layout.slices:
            obs[:, self.layout.slices["stimulus"]] = stimulus
        carried = self.policy.cell.carried
        carry = {name: torch.from_numpy(getattr(stores, s)[name]) for name, s in carried.items()}
        unused = self.policy.critic_carry(n)  # the critic plays no part in acting
        with torch.no_grad():
            actor, critic, after = self.policy.features(
                torch.from_numpy(obs)[None], {**carry, **unused}, torch.zeros(1, n)
            )
        fresh = {name: after[name].numpy() for name in carried}

        def replaced(store: str, name: str, array: Array) -> Array:
            return fresh.get(name, array)

        return actor, critic, stores.map(replaced)

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """The transition becomes the feedback that the next forward pass reads."""
        if not self._seen.any():
            return stores
        feedback = self._feedback(action, reward, self._trial(stores) + 1)
        return Stores(stores.state, stores.weights, {**stores.context, _FEEDBACK: feedback})

    def parameters(self) -> dict[str, Array]:
        """All trained parameters, by name."""
        return {name: p.detach().numpy() for name, p in self.policy.named_parameters()}

    def _trial(self, stores: Stores) -> int:
        """Trial number as far as the policy sees the time; 0 if it does not."""
        if "time" not in self.layout.slices:
            return 0
        fraction = float(stores.context[_FEEDBACK][0, self.layout.slices["time"].start])
        return round(fraction * self.layout.family.horizon)

    def _feedback(self, action: Array, reward: Array, t: int) -> Array:
        n = len(action)
        nothing = np.zeros((n, self.layout.family.stimulus_size))
        obs = self.layout.encode(nothing, action, reward, np.full(n, t))
        return obs * self._seen.astype(np.float32)


def probabilities(log_probs: Tensor) -> Array:
    """[N, K] -> float64 [N, K]."""
    probs: Array = log_probs.exp().numpy().astype(np.float64)
    return probs
