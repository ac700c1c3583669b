"""Greedy choice on Bayesian linear regression."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.references.generic.normal import GreedyChoice
from metalocus.agents.references.linear.belief import LinearPolicy


class LinearGreedy(LinearPolicy, GreedyChoice):
    """Pulls the arm of highest predicted reward: learns from what it meets, never explores."""

    name: ClassVar[str] = "linear_greedy"
    summary: ClassVar[str] = "highest mean of exact Bayesian linear regression; no exploration"
