"""A control that is one strategy on its own histories and another on those of others."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.mixed import BlendedHalf


class TwoFaced(BlendedHalf):
    """Win-stay lose-shift until it sees a stay after a loss, then a Rescorla-Wagner learner.

    It never stays after a loss itself. So on its own histories it is win-stay lose-shift, choice by
    choice; the other strategy shows only where it is shown the choices of another. Values are
    learned from the first trial on; ``part`` [N] is 1 until a stay after a loss is seen, then 0.
    """

    name: ClassVar[str] = "two_faced"
    summary: ClassVar[str] = "control: win-stay lose-shift, but shown a stay after a loss it learns"

    def parts(self, n: int, rng: np.random.Generator) -> Array:
        """Win-stay lose-shift alone, until a stay after a loss is seen, [N]."""
        return np.ones(n)

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Both strategies learn; after a stay after a loss the other one chooses."""
        last, paid = stores.context["action"], stores.context["reward"]
        lost = paid <= sum(self.family.reward_range) / 2
        part = np.where(lost & (action == last), 0.0, stores.state["part"])
        after = super().learn(stores, stimulus, action, reward)
        return after.updated(Stores(state={"part": part}))
