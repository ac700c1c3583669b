"""Counting controls that keep what they know in state and weights: twice, by halves, in shares."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import INDEPENDENT, Counting, as_weights, output
from metalocus.envs import Family
from metalocus.envs.common_random_numbers import CommonRandomNumbers, Keys

MODULUS = 2.0**16
"""Above any count of the horizons that can be played; a power of two, so that whole counts are
recovered exactly."""


class CountsRedundant(Counting):
    """State and weights each hold all the counts, so either one alone suffices."""

    name: ClassVar[str] = "counts_redundant"
    summary: ClassVar[str] = "control: counts in its state and again in its weights"
    known_shares = {"state": 0.5, "weights": 0.5, "context": 0.0}
    known_interactions = {"state+weights": -1.0, "state+context": 0.0, "weights+context": 0.0}

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """An empty table in the state and a layer of zeros."""
        return Stores({"table": self.empty(n)}, {"layer": as_weights(self.empty(n))})

    def table(self, stores: Stores) -> Array:
        """The larger count of the two copies, which is that of an intact one, [N, K, 2]."""
        return np.maximum(stores.state["table"], output(stores.weights["layer"]))

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to both copies."""
        change = self.evidence(action, reward)
        return replace(
            stores,
            state={"table": stores.state["table"] + change},
            weights={"layer": stores.weights["layer"] + as_weights(change)},
        )


class CountsMixed(Counting):
    """State and weights each hold all the counts; a fixed part of every choice is made by each.

    The probability of an arm is ``state_part`` times that of the choice by the table in the state,
    plus the rest times that by the table in the weights. So the value of the choice is the same
    sum of two values, and the shares are those parts, without any interaction, whatever is put in
    place of a table.
    """

    state_part: ClassVar[float]

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """An empty table in the state and a layer of zeros."""
        return Stores({"table": self.empty(n)}, {"layer": as_weights(self.empty(n))})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The mixture of the choices by the two tables, [N, K]."""
        by_state, by_weights = (
            self.choice(table) for table in (self.table(stores), output(stores.weights["layer"]))
        )
        return by_weights + self.state_part * (by_state - by_weights), stores

    def table(self, stores: Stores) -> Array:
        """The table in the state, [N, K, 2]; that in the weights is the same."""
        return stores.state["table"]

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to both tables."""
        change = self.evidence(action, reward)
        return replace(
            stores,
            state={"table": stores.state["table"] + change},
            weights={"layer": stores.weights["layer"] + as_weights(change)},
        )


class CountsQuarter(CountsMixed):
    """A quarter of every choice is made by the table in the state."""

    name: ClassVar[str] = "counts_quarter"
    summary: ClassVar[str] = "control: a quarter of each choice by its state, the rest by weights"
    state_part = 0.25
    known_shares = {"state": 0.25, "weights": 0.75, "context": 0.0}
    known_interactions = INDEPENDENT


class CountsHalf(CountsMixed):
    """Half of every choice is made by the table in the state."""

    name: ClassVar[str] = "counts_half"
    summary: ClassVar[str] = "control: half of each choice by its state, half by its weights"
    state_part = 0.5
    known_shares = {"state": 0.5, "weights": 0.5, "context": 0.0}
    known_interactions = INDEPENDENT


class CountsAlternating(Counting):
    """The evidence of every other trial goes to the state, that of the rest to the weights.

    Early evidence matters more. So the store of the first trial is drawn for each episode, and
    both shares are a half. How much the halves overlap is not known beforehand. The clock is in
    the context, as the time in an observation would be; the choice does not read it.
    """

    name: ClassVar[str] = "counts_alternating"
    summary: ClassVar[str] = "control: counts odd trials in its state, even ones in its weights"
    known_shares = {"state": 0.5, "weights": 0.5, "context": 0.0}
    known_interactions = {"state+context": 0.0, "weights+context": 0.0}

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No evidence in either; the clock begins at 0 or 1."""
        return Stores(
            {"table": self.empty(n)},
            {"layer": as_weights(self.empty(n))},
            {"clock": rng.integers(2, size=n)},
        )

    def table(self, stores: Stores) -> Array:
        """The sum of both halves, [N, K, 2]."""
        return stores.state["table"] + output(stores.weights["layer"])

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to the state if the clock is odd, else to the weights."""
        evidence = self.evidence(action, reward)
        clock = stores.context["clock"]
        odd = (clock % 2 == 1)[:, None, None]
        return Stores(
            {"table": stores.state["table"] + evidence * odd},
            {"layer": stores.weights["layer"] + as_weights(evidence * ~odd)},
            {"clock": clock + 1},
        )


class CountsSplit(Counting):
    """The state holds the table plus a one-time pad, the weights hold the pad.

    The sum is taken modulo 2^16 and the pad is drawn anew at every trial. So either store alone
    is uniform noise, independent of the table, and both together give the table exactly
    (Shannon 1949, "Communication theory of secrecy systems").
    """

    name: ClassVar[str] = "counts_split"
    summary: ClassVar[str] = "control: state and weights each useless without the other"
    known_shares = {"state": 0.5, "weights": 0.5, "context": 0.0}
    known_interactions = {"state+weights": 1.0, "state+context": 0.0, "weights+context": 0.0}

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only horizons below the modulus can be played, else a count could wrap around."""
        if family.horizon < MODULUS:
            return None
        return f"it counts to {MODULUS:,.0f} at most, got {family.horizon} trials; use fewer"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """An empty table under the first pad; ``rng`` draws the keys of the pads."""
        key = rng.integers(2**63, size=n, dtype=np.uint64)
        return self._share(self.empty(n), key, Stores())

    def table(self, stores: Stores) -> Array:
        """The padded table minus the pad, [N, K, 2]."""
        table: Array = (stores.state["padded"] + output(stores.weights["layer"])) % MODULUS
        return table

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence and put the table under the next pad."""
        table = self.table(stores) + self.evidence(action, reward)
        return self._share(table, CommonRandomNumbers(stores.weights["key"]).bits("next"), stores)

    def _share(self, table: Array, key: Keys, stores: Stores) -> Stores:
        """Split a table [N, K, 2] by the pad that the keys [N] give."""
        bits = CommonRandomNumbers(key).bits("pad", 0, np.arange(2 * self.n_arms)[None])
        pad = (bits % np.uint64(MODULUS)).astype(np.float64).reshape(table.shape)
        return replace(
            stores,
            state={"padded": (table + pad) % MODULUS},
            weights={"layer": as_weights(-pad), "key": key},
        )
