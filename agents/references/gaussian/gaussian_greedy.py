"""Greedy choice on the Gaussian posterior."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.references.gaussian.belief import GaussianPolicy
from metalocus.agents.references.generic.normal import GreedyChoice


class GaussianGreedy(GaussianPolicy, GreedyChoice):
    """Pulls the arm of highest posterior mean: learns from what it meets, never explores."""

    name: ClassVar[str] = "gaussian_greedy"
    summary: ClassVar[str] = "highest posterior mean of a Gaussian arm; no exploration"
