"""Greedy choice on the Kalman filter."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.beliefs.kalman import KalmanPolicy
from metalocus.agents.beliefs.normal import GreedyChoice


class KalmanGreedy(KalmanPolicy, GreedyChoice):
    """Pulls the arm of highest filtered mean: tracks what it meets, never explores."""

    name: ClassVar[str] = "kalman_greedy"
    summary: ClassVar[str] = "highest mean of exact Kalman filters; no exploration"
