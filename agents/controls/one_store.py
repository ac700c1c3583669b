"""Counting controls that keep all they know in one store: state, weights or context."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import INDEPENDENT, Counting, as_weights, output
from metalocus.agents.sizes import too_large
from metalocus.envs import Family


class CountsInState(Counting):
    """The table is an activation that is carried along and added to."""

    name: ClassVar[str] = "counts_in_state"
    summary: ClassVar[str] = "control: counts wins and losses in its state"
    known_shares = {"state": 1.0, "weights": 0.0, "context": 0.0}
    known_interactions = INDEPENDENT

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """An empty table in the state."""
        return Stores(state={"table": self.empty(n)})

    def table(self, stores: Stores) -> Array:
        """The table in the state, [N, K, 2]."""
        return stores.state["table"]

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to the state."""
        table = stores.state["table"] + self.evidence(action, reward)
        return replace(stores, state={"table": table})


class CountsInWeights(Counting):
    """The table is a linear layer, read by multiplying it with a constant input.

    The update is the same sum as that of :class:`CountsInState`. It is a change of weights
    because of how the forward pass reads it.
    """

    name: ClassVar[str] = "counts_in_weights"
    summary: ClassVar[str] = "control: counts wins and losses in its weights"
    known_shares = {"state": 0.0, "weights": 1.0, "context": 0.0}
    known_interactions = INDEPENDENT

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """A layer of zeros."""
        return Stores(weights={"layer": as_weights(self.empty(n))})

    def table(self, stores: Stores) -> Array:
        """Output of the layer, [N, K, 2]."""
        return output(stores.weights["layer"])

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to the layer."""
        change = as_weights(self.evidence(action, reward))
        return replace(stores, weights={"layer": stores.weights["layer"] + change})


class CountsInContext(Counting):
    """The context is a window of past actions and rewards, which is counted anew at every trial."""

    name: ClassVar[str] = "counts_in_context"
    summary: ClassVar[str] = "control: re-reads its whole history at every trial and counts it"
    known_shares = {"state": 0.0, "weights": 0.0, "context": 1.0}
    known_interactions = INDEPENDENT

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only horizons whose window fits into memory can be played."""
        what = f"its window of {family.horizon} trials and {family.n_arms} arms"
        return too_large(what, 8 * family.horizon * (2 + family.n_arms))

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """An empty window [N, T]: action -1, reward 0."""
        shape = (n, self.family.horizon)
        return Stores(context={"action": np.full(shape, -1), "reward": np.zeros(shape)})

    def table(self, stores: Stores) -> Array:
        """The counts of the window, [N, K, 2]."""
        action, reward = stores.context["action"], stores.context["reward"]
        success = np.where(action >= 0, self.reward_fraction(reward), 0.0)
        pulled = action[..., None] == np.arange(self.n_arms)
        wins = np.einsum("ntk,nt->nk", pulled, success)
        return np.stack([wins, pulled.sum(axis=1) - wins], axis=2)

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Write the transition into the first empty place."""
        window = {name: array.copy() for name, array in stores.context.items()}
        rows = np.arange(len(action))
        place = (window["action"] >= 0).sum(axis=1)
        window["action"][rows, place] = action
        window["reward"][rows, place] = reward
        return replace(stores, context=window)
