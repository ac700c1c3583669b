"""A control that is optimal and breaks ties in a way of its own."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.agent import Array, Stores, one_hot
from metalocus.agents.controls.beliefs import LikeBest


class FirstOfBest(LikeBest):
    """The best reference of a task; of equally good actions it always takes the first.

    So it loses nothing, though it is certain where the reference is indifferent.
    """

    name: ClassVar[str] = "first_of_best"
    summary: ClassVar[str] = "control: the best reference, of ties always the first action"

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The first of the reference's most probable actions, [N, K]."""
        probs, after = self.reference.act(stimulus, stores)
        return one_hot(probs.argmax(axis=1), self.n_arms), after
