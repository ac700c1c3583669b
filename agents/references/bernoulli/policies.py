"""Choices on the posterior mean of every arm: greedy, and greedy with random exploration."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.agent import Array, Stores, best_arms, spread
from metalocus.agents.references.bernoulli.counts import CountingPolicy


class Greedy(CountingPolicy):
    """Pulls the arm of highest posterior mean; never explores on purpose."""

    name: ClassVar[str] = "greedy"
    summary: ClassVar[str] = "highest posterior mean, as if stationary; no exploration"

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest posterior mean, [N, K]."""
        return spread(best_arms(self.posterior_mean(stores))), stores


class EpsilonGreedy(CountingPolicy):
    """Pulls the arm of highest posterior mean, but a uniformly random one with probability ε.

    Class attributes:
        epsilon: 0.05, a convention and not tuned; on stationary bandits less is better.
    """

    name: ClassVar[str] = "epsilon_greedy"
    summary: ClassVar[str] = "greedy on the posterior mean, random one time in 20, as if stationary"
    epsilon: ClassVar[float] = 0.05

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """(1 - ε) on the arms of highest posterior mean and ε / K on each, [N, K]."""
        best = spread(best_arms(self.posterior_mean(stores)))
        return (1.0 - self.epsilon) * best + self.epsilon / self.n_arms, stores
