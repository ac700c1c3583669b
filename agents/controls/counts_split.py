"""The counting control whose table is a secret shared between state and weights."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import Counting, as_weights, output
from metalocus.envs.common_random_numbers import CommonRandomNumbers, Keys

MODULUS = 2.0**16
"""Far above any count; a power of two, so that whole counts are recovered exactly."""


class CountsSplit(Counting):
    """The state holds the table plus a one-time pad, the weights the key to it.

    The sum is taken modulo 2^16 and the pad is drawn anew at every trial, so either
    store alone is uniform noise that says nothing of the table, and both together give it
    exactly (Shannon 1949, "Communication theory of secrecy systems").
    """

    name: ClassVar[str] = "counts_split"
    summary: ClassVar[str] = "control: state and weights each useless without the other"
    known_shares = {"state": 0.5, "weights": 0.5, "context": 0.0}
    known_interactions = {"state+weights": 1.0, "state+context": 0.0, "weights+context": 0.0}

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No evidence, under the first pad; ``rng`` draws the chance that the pads come from."""
        chance = rng.integers(2**63, size=n, dtype=np.uint64)
        return self._share(self.empty(n), chance, Stores())

    def table(self, stores: Stores) -> Array:
        """The pad taken off."""
        table: Array = (stores.state["padded"] + output(stores.weights["layer"])) % MODULUS
        return table

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence and put the table under the next pad."""
        table = self.table(stores) + self.evidence(action, reward)
        return self._share(
            table, CommonRandomNumbers(stores.weights["chance"]).bits("next"), stores
        )

    def _share(self, table: Array, chance: Keys, stores: Stores) -> Stores:
        """Split a table [N, K, 2] by the pad that the chance [N] gives."""
        bits = CommonRandomNumbers(chance).bits("pad", 0, np.arange(2 * self.n_arms)[None])
        pad = (bits % np.uint64(MODULUS)).astype(np.float64).reshape(table.shape)
        return replace(
            stores,
            state={"padded": (table + pad) % MODULUS},
            weights={"layer": as_weights(-pad), "chance": chance},
        )
