"""The optimum of the cued task switch: remembers which key means what in each task."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import EXACT, Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.references.rewards import rewarded
from metalocus.envs import Family
from metalocus.envs.families.cued_switching import CATEGORIES, CuedSwitching


class KeyMemory(ReferencePolicy):
    """Answers the question that the cue asks; where keys are new, one trial of a task shows them.

    Bayes-optimal: one of two keys is right, so the feedback on either determines the keys of the
    task that is asked, and says nothing about those of the other task.

    The state is ``swapped`` [N, 2], the probability that each task's keys are swapped, and
    ``right`` [N, 2], the probability that each key is right for what ``act`` has seen last.

    Source: Monsell 2003, "Task switching", for the task; the rule follows from it.
    """

    name: ClassVar[str] = "key_memory"
    summary: ClassVar[str] = "obeys the cue and remembers each task's keys: optimal, never forgets"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, CuedSwitching)  # why_not has refused all others
        self.new_keys = family.new_keys

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the cued task switch can be played."""
        if isinstance(family, CuedSwitching):
            return None
        return "it knows the two questions of CuedSwitching alone"

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact: both choices are equally informative."""
        return EXACT

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """A belief of 1/2 that keys are swapped if they are new, else 0; no stimulus seen."""
        swapped = np.full((n, 2), 0.5 if self.new_keys else 0.0)
        return Stores(state={"swapped": swapped, "right": np.full((n, 2), 0.5)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the keys that are most probably right, [N, 2]."""
        task, category = _seen(stimulus)
        swapped = stores.state["swapped"][np.arange(len(task)), task]
        one = np.where(category == 1, 1.0 - swapped, swapped)
        stores = replace(stores, state={**stores.state, "right": np.stack([1 - one, one], axis=1)})
        return spread(best_arms(self.values(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Key and feedback together say whether the task's keys are swapped."""
        if not self.new_keys:
            return stores
        task, category = _seen(stimulus)
        swapped = stores.state["swapped"].copy()
        swapped[np.arange(len(task)), task] = (action == category) != rewarded(reward)
        return replace(stores, state={**stores.state, "swapped": swapped})

    def values(self, stores: Stores) -> Array:
        """Expected reward of either key for what was seen last, [N, 2].

        Later rewards are left out; their sum is the same after either key.
        """
        return stores.state["right"]


def _seen(stimulus: Array) -> tuple[Array, Array]:
    """The task and the digit's category in it, each [N]."""
    task, digit = stimulus[:, :2].argmax(axis=1), stimulus[:, 2:].argmax(axis=1)
    return task, CATEGORIES[digit, task]
