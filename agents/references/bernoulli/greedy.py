"""Greedy choice on the posterior mean."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.agent import Array, Stores, best_arms, spread
from metalocus.agents.references.bernoulli.counts import CountingPolicy


class Greedy(CountingPolicy):
    """Pulls the arm of highest posterior mean: learns from what it meets, never explores."""

    name: ClassVar[str] = "greedy"
    summary: ClassVar[str] = "highest posterior mean, as if stationary; no exploration"

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest posterior mean, [N, K]."""
        return spread(best_arms(self.posterior_mean(stores))), stores
