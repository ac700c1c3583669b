"""A control that is optimal and breaks ties in a way of its own."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores, one_hot
from metalocus.agents.controls.beliefs import CLONED
from metalocus.agents.controls.counting import Control
from metalocus.envs import Family


class FirstOfBest(Control):
    """The best reference of a task; of equally good actions it always takes the first.

    So it loses nothing, though it is certain where the reference is indifferent.
    """

    name: ClassVar[str] = "first_of_best"
    summary: ClassVar[str] = "control: the best reference, of ties always the first action"
    known_shares = {}

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.reference = next(cls for cls in CLONED if cls.why_not(family) is None)(family)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only what one of the references plays."""
        if any(reference.why_not(family) is None for reference in CLONED):
            return None
        return f"it breaks the ties of {', '.join(reference.name for reference in CLONED)} alone"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The reference's stores."""
        return self.reference.start(n, rng)

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The first of the reference's most probable actions, [N, K]."""
        probs, after = self.reference.act(stimulus, stores)
        return one_hot(probs.argmax(axis=1), self.n_arms), after

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """The reference's step."""
        return self.reference.learn(stores, stimulus, action, reward)
