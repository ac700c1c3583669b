"""Planning as if the posterior's mean were the truth."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.agent import Array, Stores
from metalocus.agents.references.mdp.belief import PlanningPolicy, mean_rewards, mean_transitions


class CertaintyEquivalent(PlanningPolicy):
    """Acts best in the mean process: learns from what it meets, never explores on purpose.

    The row Greedy of Duan et al. 2016 plans in an estimated process too, by other means. The
    name is after Simon 1956, "Dynamic programming under uncertainty with a quadratic
    criterion function".
    """

    name: ClassVar[str] = "certainty_equivalent"
    summary: ClassVar[str] = "plans in the posterior's mean process; no exploration"

    def model(self, stores: Stores) -> tuple[Array, Array]:
        """The posterior means."""
        return mean_rewards(stores), mean_transitions(stores)
