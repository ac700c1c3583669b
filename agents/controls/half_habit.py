"""A control of the two-step task whose interaction of reward and transition is known: 1."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import Control
from metalocus.agents.references.two_step.habit import RewardAsCue
from metalocus.envs import Family

LAPSES = 0.5
"""How often it chooses either action alike."""


class HalfHabit(Control):
    """The habit that takes reward as a cue, and at half of the trials any action.

    The habit repeats its choice with probability 1 after rewarded common and unrewarded rare
    trials, else 0: an interaction of 2, and no effect of reward. With lapses at half of the trials
    these probabilities are 0.75 and 0.25, and the interaction is 2 * (1 - 0.5) = 1.
    """

    name: ClassVar[str] = "half_habit"
    summary: ClassVar[str] = "control: reward as a cue (two-step), at half of the trials any action"
    known_shares = {}

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.habit = RewardAsCue(family)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """As the habit's."""
        return RewardAsCue.why_not(family)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No last trial."""
        return self.habit.start(n, rng)

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Half of the habit's probabilities, and half of even ones, [N, 2]."""
        probs, after = self.habit.act(stimulus, stores)
        return (1.0 - LAPSES) * probs + LAPSES / self.n_arms, after

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """The habit's step."""
        return self.habit.learn(stores, stimulus, action, reward)
