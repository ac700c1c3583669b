"""The Bayesian exploration bonus."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.agent import NEAR, Array, Stores
from metalocus.agents.references.mdp.belief import PlanningPolicy, mean_rewards, mean_transitions
from metalocus.envs import Family


class BayesianExplorationBonus(PlanningPolicy):
    """Plans in the mean process with β / (1 + n) added to an action that was taken n times.

    Class attributes:
        bonus: β, 0.5: of 0.25, 0.5, 0.75 and 1 the best on the default task, 2,000
            episodes of seed 1000.

    Source: Kolter & Ng 2009, "Near-Bayesian exploration in polynomial time".
    """

    name: ClassVar[str] = "beb"
    summary: ClassVar[str] = "plans in the mean process with a bonus for the new (Kolter & Ng 2009)"
    bonus: ClassVar[float] = 0.5

    @classmethod
    def optimality(cls, family: Family) -> int:
        """The best of the practical policies that were tried."""
        return NEAR

    def model(self, stores: Stores) -> tuple[Array, Array]:
        """Posterior means, and the bonus."""
        bonus = self.bonus / (1.0 + stores.state["pulls"])
        return mean_rewards(stores) + bonus, mean_transitions(stores)
