"""The counting control that carries its history and counts it anew at every trial."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import INDEPENDENT, Counting


class CountsInContext(Counting):
    """The context is a window of past actions and rewards; no table outlives a trial."""

    name: ClassVar[str] = "counts_in_context"
    summary: ClassVar[str] = "control: re-reads its whole history at every trial and counts it"
    known_shares = {"state": 0.0, "weights": 0.0, "context": 1.0}
    known_interactions = INDEPENDENT

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """An empty window [N, T]: action -1, reward 0."""
        shape = (n, self.family.horizon)
        return Stores(context={"action": np.full(shape, -1), "reward": np.zeros(shape)})

    def table(self, stores: Stores) -> Array:
        """Every past trial counted again."""
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
