"""Greedy choice on the Kalman filter."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.references.generic.normal import GreedyChoice
from metalocus.agents.references.restless.belief import KalmanPolicy


class KalmanGreedy(KalmanPolicy, GreedyChoice):
    """Pulls the arm of highest filtered mean: tracks what it meets, never explores."""

    name: ClassVar[str] = "kalman_greedy"
    summary: ClassVar[str] = "highest mean of exact Kalman filters; no exploration"
