"""Uniformly random choice."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy, Stores


class Random(ReferencePolicy):
    """Every arm with equal probability, always: the floor."""

    name: ClassVar[str] = "random"
    summary: ClassVar[str] = "every arm with equal probability"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Nothing to carry."""
        return Stores()

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """1 / K everywhere, [N, K]."""
        return np.full((len(stimulus), self.n_arms), 1.0 / self.n_arms), stores
