"""The Bayes-optimal policy of Bernoulli arms, by dynamic programming."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import EXACT, Array, Stores, best_arms, spread
from metalocus.agents.references.bernoulli.counts import CountingPolicy, mean_reward
from metalocus.agents.references.bernoulli.planning import (
    MirroredPlan,
    Plan,
    exchangeable_plan,
    why_too_large,
    why_too_long,
)
from metalocus.envs import Family
from metalocus.envs.families.bernoulli_bandit import BernoulliBandit
from metalocus.envs.families.reversal_bandit import ReversalBandit


class BayesOptimal(CountingPolicy):
    """Maximises the expected total reward given the prior; no policy has a higher mean return.

    Independent arms: dynamic programming over the posterior counts, exact for few enough
    arms and trials (two arms to 120 trials, five to 25, any number to 10). Dependent arms
    (p2 = 1 - p1): greedy choice on the exact posterior mean, which is optimal there, see
    :class:`metalocus.agents.references.bernoulli.planning.MirroredPlan`; up to 3,161 trials.

    Attributes:
        plan: the value of every arm at every posterior.
    """

    name: ClassVar[str] = "bayes_optimal"
    summary: ClassVar[str] = "exact finite-horizon optimum by dynamic programming over posteriors"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.plan = _plan(family)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only Bernoulli bandits can be played whose posteriors are few enough to enumerate."""
        if isinstance(family, ReversalBandit):
            return "the belief is no count; with two arms the policy `filter` is Bayes-optimal"
        if not isinstance(family, BernoulliBandit):
            return "it plans over the counts of a stationary Bernoulli bandit"
        if family.beta is None:
            return why_too_long(family.horizon)
        return why_too_large(family.n_arms, family.horizon)

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact: dynamic programming over all posteriors."""
        return EXACT

    @property
    def optimal_return(self) -> float:
        """Expected total reward of an episode."""
        return self.plan.optimal_return

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest value, [N, K]."""
        return spread(best_arms(self.values(stores))), stores

    def values(self, stores: Stores) -> Array:
        """Exact reward still to come if the arm is pulled next, [N, K]."""
        return self.plan.values(stores.state["successes"], stores.state["failures"])


def _plan(family: Family) -> Plan:
    """The plan of a prior: Beta, uniform on p1 = 1 - p2, or two values of p1."""
    assert isinstance(family, BernoulliBandit)  # why_not has refused all others
    if family.beta is not None:
        arms = min(family.n_arms, family.horizon)
        return exchangeable_plan(arms, family.horizon, family.beta)
    return _mirrored_plan(family.horizon, family.support)


@lru_cache(maxsize=2)  # the largest takes 80 MB
def _mirrored_plan(horizon: int, support: tuple[float, float] | None) -> MirroredPlan:
    """The plan of p1 uniform, or one of two values, and p2 = 1 - p1."""
    if support is None:
        return MirroredPlan(horizon, lambda n, against: mean_reward(n, against, (1.0, 1.0)))
    low, high = support

    def first_mean(signs: Array, against: Array) -> Array:
        log_odds = (signs - against) * np.log(high / low)
        return np.asarray((1.0 + (high - low) * np.tanh(log_odds / 2.0)) / 2.0)

    return MirroredPlan(horizon, first_mean)
