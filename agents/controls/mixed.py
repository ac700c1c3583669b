"""Controls that mix two strategies in known parts: by episode, or at every choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import Control
from metalocus.agents.references.generic.policies import RescorlaWagner, WinStayLoseShift
from metalocus.envs import Family


class BlendedHalf(Control):
    """At every choice half win-stay lose-shift, half a Rescorla-Wagner learner: one strategy.

    The state is the learner's ``value`` [N, K] and ``part`` [N], that of win-stay lose-shift in
    its probabilities; the last trial is in the context.
    """

    name: ClassVar[str] = "blended_half"
    summary: ClassVar[str] = "control: at every choice half wsls, half rescorla_wagner"
    known_shares: ClassVar[Mapping[str, float]] = {}

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.learner, self.shifter = RescorlaWagner(family), WinStayLoseShift(family)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Those of both, and their parts."""
        stores = self.learner.start(n, rng).updated(self.shifter.start(n, rng))
        return stores.updated(Stores(state={"part": self.parts(n, rng)}))

    def parts(self, n: int, rng: np.random.Generator) -> Array:
        """Of win-stay lose-shift in the probabilities of every episode, [N]."""
        return np.full(n, 0.5)

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The probabilities of both, in their parts, [N, K]."""
        shifted, _ = self.shifter.act(stimulus, stores)
        learned, _ = self.learner.act(stimulus, stores)
        part = np.clip(stores.state["part"][:, None], 0.0, 1.0)  # it may have been edited
        return part * shifted + (1.0 - part) * learned, stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Both learn."""
        learned = self.learner.learn(stores, stimulus, action, reward)
        after = self.shifter.learn(stores, stimulus, action, reward)
        return replace(after, state={**stores.state, "value": learned.state["value"]})


class MixedHalf(BlendedHalf):
    """Win-stay lose-shift in half of the episodes, a Rescorla-Wagner learner in the others.

    Class attributes:
        share: probability that an episode is played by win-stay lose-shift.
    """

    name: ClassVar[str] = "mixed_half"
    summary: ClassVar[str] = "control: wsls in half of its episodes, rescorla_wagner in the others"
    share: ClassVar[float] = 0.5

    def parts(self, n: int, rng: np.random.Generator) -> Array:
        """All or nothing, [N]."""
        return (rng.random(n) < self.share).astype(float)


class MixedQuarter(MixedHalf):
    """Win-stay lose-shift in a quarter of the episodes."""

    name: ClassVar[str] = "mixed_quarter"
    summary: ClassVar[str] = "control: wsls in a quarter of its episodes, else rescorla_wagner"
    share: ClassVar[float] = 0.25


class MixedThreeQuarters(MixedHalf):
    """Win-stay lose-shift in three quarters of the episodes."""

    name: ClassVar[str] = "mixed_three_quarters"
    summary: ClassVar[str] = "control: wsls in three quarters of its episodes, else rescorla_wagner"
    share: ClassVar[float] = 0.75
