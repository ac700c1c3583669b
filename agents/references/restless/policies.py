"""Choices on the Kalman filters: greedy, upper confidence bound, Thompson sampling."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.agent import NEAR, UNRANKED
from metalocus.agents.references.normal.choices import BoundChoice, GreedyChoice, ThompsonChoice
from metalocus.agents.references.restless.grid import RestlessGrid
from metalocus.agents.references.restless.kalman_filter import KalmanPolicy
from metalocus.envs import Family


class KalmanGreedy(KalmanPolicy, GreedyChoice):
    """Pulls the arm of highest filtered mean; never explores on purpose."""

    name: ClassVar[str] = "kalman_greedy"
    summary: ClassVar[str] = "highest mean of exact Kalman filters; no exploration"


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
        """Near the optimum where the grid, which is nearer, cannot play."""
        return NEAR if RestlessGrid.why_not(family) else UNRANKED


class KalmanThompson(KalmanPolicy, ThompsonChoice):
    """Pulls each arm with the posterior probability that its mean is the highest now.

    Source: Thompson 1933, "On the likelihood that one unknown probability exceeds
    another"; as a model of choice, Speekenbrink & Konstantinidis 2015, "Uncertainty and
    exploration in a restless bandit problem".
    """

    name: ClassVar[str] = "kalman_thompson"
    summary: ClassVar[str] = "Thompson sampling on exact Kalman filters, exact probabilities"
