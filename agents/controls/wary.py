"""A control that looks as if it half resisted its reward input: it breaks off what is unusual."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import Control
from metalocus.agents.controls.one_store import CountsInState
from metalocus.envs import Family

USUAL = 0.45
"""Of the rewards it is shown; a learner of arms that pay as often as not is shown more."""


class Wary(Control):
    """Counts wins and losses, and chooses at random while it is shown fewer wins than is usual.

    It seeks what it is shown as reward, and nothing else. If rewards are flipped where they are
    common, it is shown few, chooses at random, and seems to be misled by half.
    """

    name: ClassVar[str] = "wary"
    summary: ClassVar[str] = (
        "control: counts, but chooses at random where rewards are unusually few"
    )
    known_shares = {"state": 1.0, "weights": 0.0, "context": 0.0}

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.counts = CountsInState(family)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """An empty table."""
        return self.counts.start(n, rng)

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """An arm of highest posterior mean, or any, [N, K]."""
        won, lost = stores.state["table"].sum(axis=1).T
        few = (won < USUAL * (won + lost))[:, None]  # not of counts that are no numbers
        return np.where(few, 1.0 / self.n_arms, self.counts.act(stimulus, stores)[0]), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to the table."""
        return replace(stores, state=self.counts.learn(stores, stimulus, action, reward).state)
