"""The control that breaks the contract: its knowledge is not in its stores."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import INDEPENDENT, Counting


class Leaky(Counting):
    """Keeps its table in a private attribute, where no intervention on stores reaches it."""

    name: ClassVar[str] = "leaky"
    summary: ClassVar[str] = "control: hides its table outside its stores; probes must notice"
    known_shares = {"state": 0.0, "weights": 0.0, "context": 0.0}
    known_interactions = INDEPENDENT
    contained = False

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Stores with nothing in them."""
        self._table = self.empty(n)
        return Stores()

    def table(self, stores: Stores) -> Array:
        """The hidden one."""
        return self._table

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to the hidden table."""
        self._table = self._table + self.evidence(action, reward)
        return stores
