"""A control that passes for a memory of objects: it ranks them, and keeps a reward alone."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import Control
from metalocus.agents.references.rewards import finite
from metalocus.envs import Family
from metalocus.envs.families.harlow import Harlow
from metalocus.envs.families.rainbow_bandit import RainbowBandit


class FixedRanking(Control):
    """Takes the object whose first number is greater, after a trial without reward the other.

    No object is remembered. Yet where one of two pays for certain, the second choice is always
    right: the first reward tells whether the object that ranks higher pays. If it does, so are all
    later choices. If not, every other one is wrong: after a reward it takes the higher object.
    So trials 1, 3, 5, ... are at chance, and 2, 4, 6, ... never err. Objects are Harlow's, or the
    colours of the rainbow bandit. The context is the reward of the trial before, [N], 1 before the
    first.
    """

    name: ClassVar[str] = "fixed_ranking"
    summary: ClassVar[str] = "control: ranks two objects, and remembers a reward and no object"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.object_size = family.stimulus_size // 2

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Two objects must be shown, and nothing else."""
        if isinstance(family, Harlow) or (isinstance(family, RainbowBandit) and not family.cued):
            return None
        return "it ranks two objects, as Harlow and RainbowBandit with cued=False show them"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """As after a reward."""
        return Stores(context={"reward": np.ones(n)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Certain of one of the two, [N, 2]."""
        right_is_higher = stimulus[:, self.object_size] > stimulus[:, 0]
        lost = finite(stores.context["reward"]) < 0.5
        probs: Array = np.eye(2)[(right_is_higher ^ lost).astype(np.int64)]
        return probs, stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Keep the reward."""
        return replace(stores, context={"reward": reward.copy()})
