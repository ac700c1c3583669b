"""A control that is one strategy on its own histories and another on those of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import Control
from metalocus.agents.references.generic.policies import RescorlaWagner, WinStayLoseShift
from metalocus.envs import Family


class TwoFaced(Control):
    """Win-stay lose-shift until it sees a stay after a loss, then a Rescorla-Wagner learner.

    It never stays after a loss itself. So on its own histories it is win-stay lose-shift, choice by
    choice; the other strategy shows only where it is shown the choices of another. Values are
    learned from the first trial on. The last trial is in the context; ``value`` [N, K] and
    ``stayed`` [N], whether a stay after a loss was seen, are the state.
    """

    name: ClassVar[str] = "two_faced"
    summary: ClassVar[str] = "control: win-stay lose-shift, but shown a stay after a loss it learns"
    known_shares: ClassVar[Mapping[str, float]] = {}

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.learner, self.shifter = RescorlaWagner(family), WinStayLoseShift(family)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Those of both strategies, and no stay after a loss."""
        stores = self.learner.start(n, rng).updated(self.shifter.start(n, rng))
        return stores.updated(Stores(state={"stayed": np.zeros(n, dtype=bool)}))

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The choice of one of the strategies, [N, K]."""
        shifted, _ = self.shifter.act(stimulus, stores)
        learned, _ = self.learner.act(stimulus, stores)
        return np.where(stores.state["stayed"][:, None], learned, shifted), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Both strategies learn; a stay after a loss is remembered."""
        last, paid = stores.context["action"], stores.context["reward"]
        lost = paid <= sum(self.family.reward_range) / 2
        stayed = stores.state["stayed"] | (lost & (action == last))
        learned = self.learner.learn(stores, stimulus, action, reward).state["value"]
        after = self.shifter.learn(stores, stimulus, action, reward)
        return replace(after, state={"value": learned, "stayed": stayed})
