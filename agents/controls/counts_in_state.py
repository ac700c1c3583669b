"""The counting control with its table in the state."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import INDEPENDENT, Counting


class CountsInState(Counting):
    """The table is an activation that is carried along and added to."""

    name: ClassVar[str] = "counts_in_state"
    summary: ClassVar[str] = "control: counts wins and losses in its state"
    known_shares = {"state": 1.0, "weights": 0.0, "context": 0.0}
    known_interactions = INDEPENDENT

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No evidence."""
        return Stores(state={"table": self.empty(n)})

    def table(self, stores: Stores) -> Array:
        """As carried."""
        return stores.state["table"]

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to the state."""
        return replace(
            stores, state={"table": stores.state["table"] + self.evidence(action, reward)}
        )
