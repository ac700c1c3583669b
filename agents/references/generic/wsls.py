"""Win-stay, lose-shift: the best that a memory of one step can do by a simple rule."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy, Stores, spread

NO_ACTION = -1


class WinStayLoseShift(ReferencePolicy):
    """Repeats an arm that has just won, else moves to a random other one.

    A win is a reward in the upper half of the family's range. The first choice is
    uniform. What it carries is the last trial as it was, which it reads again, so it is
    in the context: ``action`` [N], -1 before the first trial, and ``reward`` [N].

    Source: Robbins 1952, "Some aspects of the sequential design of experiments".
    """

    name: ClassVar[str] = "wsls"
    summary: ClassVar[str] = "win-stay, lose-shift: remembers one trial (Robbins 1952)"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No trial to remember."""
        return Stores(context={"action": np.full(n, NO_ACTION), "reward": np.zeros(n)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """One arm after a win, K - 1 after a loss, all at the start."""
        last, reward = stores.context["action"], stores.context["reward"]
        same = np.arange(self.n_arms) == last[:, None]
        won = reward > sum(self.family.reward_range) / 2
        return spread(np.where(won[:, None], same, ~same)), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Remember this trial and forget the one before."""
        return replace(stores, context={"action": action.copy(), "reward": reward.copy()})
