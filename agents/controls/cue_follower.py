"""A control that a regression on past rewards takes for a learner: it follows a cue."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import INDEPENDENT, Control
from metalocus.envs import Family

FOLLOWS = 0.7
"""How often it heeds the cue. It must err: one that always took the good arm would repeat its
choices as often after a loss as after a win."""


class CueFollower(Control):
    """Takes the arm that the cue shows with probability 0.7, else any; rewards play no part.

    Where the good arm stays for some trials, a win tells that it was taken, and so that it will be
    taken again. So past wins go together with later choices, and cause none of them.
    """

    name: ClassVar[str] = "cue_follower"
    summary: ClassVar[str] = "control: takes the arm that a cue shows, ignores rewards"
    known_shares = {"state": 0.0, "weights": 0.0, "context": 0.0}
    known_interactions = INDEPENDENT

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """The stimulus must be one number for each arm."""
        if family.stimulus_size == family.n_arms:
            return None
        return "it follows a cue of one number for each arm; use cued=True"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Empty stores: nothing is carried."""
        return Stores()

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Mostly the arm of the greatest number in the stimulus, [N, K]."""
        shown = np.arange(self.n_arms) == stimulus.argmax(axis=1)[:, None]
        return FOLLOWS * shown + (1.0 - FOLLOWS) / self.n_arms, stores
