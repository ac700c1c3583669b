"""Greedy choice with undirected exploration."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.agent import Array, Stores, best_arms, spread
from metalocus.agents.references.bernoulli.counts import CountingPolicy


class EpsilonGreedy(CountingPolicy):
    """Pulls the arm of highest posterior mean, but a uniformly random one with chance ε.

    Class attributes:
        epsilon: 0.05, a convention and not tuned; on stationary bandits less is better.
    """

    name: ClassVar[str] = "epsilon_greedy"
    summary: ClassVar[str] = "greedy on the posterior mean, random one time in 20, as if stationary"
    epsilon: ClassVar[float] = 0.05

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """(1 - ε) on the arms of highest posterior mean, ε / K on each, [N, K]."""
        best = spread(best_arms(self.posterior_mean(stores)))
        return (1.0 - self.epsilon) * best + self.epsilon / self.n_arms, stores
