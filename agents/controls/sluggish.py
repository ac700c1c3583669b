"""A control whose cost of a change of task is known: 0.2."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import Control
from metalocus.agents.references.memory.keys import KeyMemory
from metalocus.envs import Family

INERTIA = 0.4
"""How often it answers the question of the trial before, if another one is asked."""
NOTHING = -1
"""Stands for the question of the trial before the first."""
TASKS = 2


class Sluggish(Control):
    """Remembers all keys, and where the task has just changed it may still answer the old question.

    It does so with probability 0.4, which is an error for the half of the digits that are
    incongruent: a change of task costs 0.2 of reward. The last question is in the context.
    """

    name: ClassVar[str] = "sluggish"
    summary: ClassVar[str] = "control: where the task has changed it may answer the old question"
    known_shares = {}

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.memory = KeyMemory(family)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """As the memory's."""
        return KeyMemory.why_not(family)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The memory's stores, and no question yet."""
        return _asked(self.memory.start(n, rng), np.full(n, NOTHING))

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The memory's answer to the question, in part that to the last one, [N, 2]."""
        last = stores.context["asked"]
        old = np.array(stimulus)
        old[:, :TASKS] = np.eye(TASKS)[np.where(last == NOTHING, _task(stimulus), last)]
        answer, after = self.memory.act(stimulus, stores)
        to_old, _ = self.memory.act(old, stores)
        return answer + INERTIA * (to_old - answer), after

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """The memory's step; the question is remembered."""
        after = self.memory.learn(stores, stimulus, action, reward)
        return _asked(after, _task(stimulus))


def _task(stimulus: Array) -> Array:
    """The question that a cue asks, [N]."""
    task: Array = stimulus[:, :TASKS].argmax(axis=1)
    return task


def _asked(stores: Stores, task: Array) -> Stores:
    """The stores with a question in the context."""
    return stores.updated(Stores(context={"asked": task}))
