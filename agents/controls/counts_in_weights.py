"""The counting control with its table in the weights."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import INDEPENDENT, Counting, as_weights, output


class CountsInWeights(Counting):
    """The table is a linear layer, read by multiplying it with a constant input.

    The update is the same sum that :class:`CountsInState` does; what makes it a change of
    weights is how the forward pass reads it.
    """

    name: ClassVar[str] = "counts_in_weights"
    summary: ClassVar[str] = "control: counts wins and losses in its weights"
    known_shares = {"state": 0.0, "weights": 1.0, "context": 0.0}
    known_interactions = INDEPENDENT

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """A layer of zeros."""
        return Stores(weights={"layer": as_weights(self.empty(n))})

    def table(self, stores: Stores) -> Array:
        """The layer's output."""
        return output(stores.weights["layer"])

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to the layer."""
        change = as_weights(self.evidence(action, reward))
        return replace(stores, weights={"layer": stores.weights["layer"] + change})
