"""An upper confidence bound from the Kalman filter."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.agent import NEAR, UNRANKED
from metalocus.agents.references.generic.normal import BoundChoice
from metalocus.agents.references.restless.belief import KalmanPolicy
from metalocus.agents.references.restless.restless_grid import RestlessGrid
from metalocus.envs import Family


class KalmanUCB(KalmanPolicy, BoundChoice):
    """Pulls the arm of highest filtered mean + width standard deviations.

    Class attributes:
        width: 1, the best of seven from 0.3 to 2 at the default task and at the four arms of
            Daw 2006, on 4,000 tasks of seed 1000 each.

    Source: Speekenbrink & Konstantinidis 2015, "Uncertainty and exploration in a restless
    bandit problem".
    """

    name: ClassVar[str] = "kalman_ucb"
    summary: ClassVar[str] = "mean + tuned width x sd of exact Kalman filters"
    width: ClassVar[float] = 1.0

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Near, where the grid is not nearer."""
        return NEAR if RestlessGrid.why_not(family) else UNRANKED
