"""Controls that a naive probe takes for learners with a locus: a bias, and hidden memory."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import INDEPENDENT, Control, Counting


class FixedBias(Control):
    """Pulls arm k of K with probability proportional to K - k, and never learns."""

    name: ClassVar[str] = "fixed_bias"
    summary: ClassVar[str] = "control: always the same uneven probabilities; carries nothing"
    known_shares = {"state": 0.0, "weights": 0.0, "context": 0.0}
    known_interactions = INDEPENDENT

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Empty stores: nothing is carried."""
        return Stores()

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The same probabilities in every row, [N, K]."""
        bias = np.arange(self.n_arms, 0, -1.0)
        return np.tile(bias / bias.sum(), (len(stimulus), 1)), stores


class Leaky(Counting):
    """Breaks the contract: keeps its table outside its stores, where no intervention reaches."""

    name: ClassVar[str] = "leaky"
    summary: ClassVar[str] = "control: hides its table outside its stores; probes must notice"
    known_shares = {"state": 0.0, "weights": 0.0, "context": 0.0}
    known_interactions = INDEPENDENT
    contained = False

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Empty stores; the hidden table is emptied."""
        self._table = self.empty(n)
        return Stores()

    def table(self, stores: Stores) -> Array:
        """The hidden table, [N, K, 2]."""
        return self._table

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to the hidden table."""
        self._table = self._table + self.evidence(action, reward)
        return stores
