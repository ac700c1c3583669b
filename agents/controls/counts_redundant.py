"""The counting control with two full copies of its table."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import Counting, as_weights, output


class CountsRedundant(Counting):
    """State and weights each hold all the counts, so either one alone suffices."""

    name: ClassVar[str] = "counts_redundant"
    summary: ClassVar[str] = "control: counts in its state and again in its weights"
    known_shares = {"state": 0.5, "weights": 0.5, "context": 0.0}
    known_interactions = {"state+weights": -1.0, "state+context": 0.0, "weights+context": 0.0}

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No evidence in either."""
        return Stores({"table": self.empty(n)}, {"layer": as_weights(self.empty(n))})

    def table(self, stores: Stores) -> Array:
        """The larger count of the two copies: that of the copy which is intact."""
        return np.maximum(stores.state["table"], output(stores.weights["layer"]))

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to both."""
        change = self.evidence(action, reward)
        return replace(
            stores,
            state={"table": stores.state["table"] + change},
            weights={"layer": stores.weights["layer"] + as_weights(change)},
        )
