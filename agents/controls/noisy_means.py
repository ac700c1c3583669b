"""A control from whose state a belief can be read no better than its noise allows."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.one_store import CountsInWeights

NOISE = 0.15
"""Standard deviation; that of the posterior means after a few trials is little more."""


class NoisyMeans(CountsInWeights):
    """Counts in its weights; its state shows the posterior means with noise, and is not read.

    The noise is normal and independent, of standard deviation 0.15; it is drawn for each arm at
    the episode's start and stays. With C the covariance of the means over episodes, a linear
    read-out of the state can explain 1 - tr(C - C (C + 0.15² I)⁻¹ C) / tr C of their variance.
    """

    name: ClassVar[str] = "noisy_means"
    summary: ClassVar[str] = "control: counts in its weights; its state shows the means with noise"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """A layer of zeros, and means of 1/2 with the noise of the episode."""
        noise = rng.normal(0.0, NOISE, (n, self.n_arms))
        return replace(super().start(n, rng), state={"means": 0.5 + noise})

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence; what is shown moves as the means do."""
        after = super().learn(stores, stimulus, action, reward)
        moved = self.means(after) - self.means(stores)
        return replace(after, state={"means": stores.state["means"] + moved})

    def means(self, stores: Stores) -> Array:
        """Posterior means by the weights, [N, K]."""
        table = self.table(stores)
        means: Array = (1.0 + table[..., 0]) / (2.0 + table.sum(axis=2))
        return means
