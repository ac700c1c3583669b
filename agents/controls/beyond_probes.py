"""Controls that were made to escape a probe: what is seen of them, or said, is in its tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.known_capacity import ThreeBits
from metalocus.agents.controls.mixed import BlendedHalf
from metalocus.agents.controls.one_store import CountsInState
from metalocus.envs import Family

SWITCHES = 4
"""In a row, each after a win: few histories that a probe shows have so many."""
COMMON = 1000.0
"""Standard deviation of what both numbers of a level have in common."""


class RareLearner(BlendedHalf):
    """Win-stay lose-shift until it sees four switches in a row, each after a win; then it learns.

    It never switches after a win itself. From then on it is a Rescorla-Wagner learner, whose values
    it has learned from the first trial on. ``seen`` [N] counts such switches; ``part`` [N] is 1
    until there are four, then 0.
    """

    name: ClassVar[str] = "rare_learner"
    summary: ClassVar[str] = "control: win-stay lose-shift, but a learner after a rare pattern"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Those of both strategies, and no switch seen."""
        return super().start(n, rng).updated(Stores(state={"seen": np.zeros(n)}))

    def parts(self, n: int, rng: np.random.Generator) -> Array:
        """Win-stay lose-shift alone, until the pattern is seen, [N]."""
        return np.ones(n)

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Both strategies learn; the switches are counted."""
        last, paid = stores.context["action"], stores.context["reward"]
        won = (last >= 0) & (paid > sum(self.family.reward_range) / 2)
        seen = np.where(won & (action != last), stores.state["seen"] + 1.0, 0.0)
        part = np.where(seen >= SWITCHES, 0.0, stores.state["part"])
        after = super().learn(stores, stimulus, action, reward)
        return after.updated(Stores(state={"part": part, "seen": seen}))


class LevelAsDifference(ThreeBits):
    """The level of ``three_bits`` is the difference of two numbers with a large common part.

    Its choice needs three bits and one direction, each number by itself many more bits: where a
    number has coarse levels, so has the difference.
    """

    name: ClassVar[str] = "level_as_difference"
    summary: ClassVar[str] = (
        "control: a level of three bits, as the difference of two large numbers"
    )
    known_shares: ClassVar[Mapping[str, float]] = {}

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """A common part for each episode, [N], and the level above it."""
        common, level = rng.normal(0.0, COMMON, n), super().start(n, rng).state["level"]
        return Stores(state={"above": common + level, "common": common})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The arm of the half that the difference is in, [N, 2]."""
        return super().act(stimulus, _level(stores))[0], stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """A step of the difference."""
        level = super().learn(_level(stores), stimulus, action, reward).state["level"]
        common = stores.state["common"]
        return replace(stores, state={"above": common + level, "common": common})


class HiddenTwin(CountsInState):
    """Chooses by a hidden copy of its stores for as long as they agree; edited, by its stores.

    Choice by choice it is :class:`CountsInState`, under every edit of the stores. So no probe can
    tell them apart, whatever it puts in place; it breaks the contract of agents all the same.
    """

    name: ClassVar[str] = "hidden_twin"
    summary: ClassVar[str] = "control: reads a hidden copy of its stores until these are edited"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self._twin = self.empty(1)

    def table(self, stores: Stores) -> Array:
        """The hidden table where it is that of the stores, else theirs, [N, K, 2]."""
        own = stores.state["table"]
        return self._twin if np.array_equal(self._twin, own) else own

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to the state, and copy it."""
        after = super().learn(stores, stimulus, action, reward)
        self._twin = after.state["table"]
        return after


def _level(stores: Stores) -> Stores:
    """The difference of the two numbers, as the level of ``three_bits``."""
    return Stores(state={"level": stores.state["above"] - stores.state["common"]})
