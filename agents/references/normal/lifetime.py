"""The optimum of a known and an uncertain arm, and the border beyond which it is to learn."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import ClassVar

import numpy as np
from scipy.optimize import brentq

from metalocus.agents.agent import EXACT, Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.references.normal.piecewise_linear import basis, coefficients
from metalocus.agents.references.rewards import finite
from metalocus.envs import Family, InvalidTask
from metalocus.envs.families.lifetime_bandit import LifetimeBandit

LONGEST = 200
"""Trials: values are kept for every number of pulls and of trials left, 65 MB for this many."""
STEPS = 200
"""Intervals of the grid for the posterior mean, densest at 0, where the choice changes; it errs
by less than 1e-3 of the return at 50 trials."""
WIDEST = 8.4
"""Greatest distance from the prior mean on the grid, in prior standard deviations; none is met
beyond it, and values are extrapolated linearly there."""


class LifetimePlan:
    """Exact play of an arm that pays 0 and one of a normal mean, by backward induction.

    With n pulls of the uncertain arm behind and L trials to come, its posterior mean m is all that
    matters: V_nL(m) = max(V_n(L-1)(m), m + E V_(n+1)(L-1)(m')), where m' is normal about m
    with the variance that one more reward removes. V is taken as linear between the grid's points,
    for which the expectation is exact; it is convex, so it is overestimated a little.

    Args:
        horizon: trials.
        spread: prior standard deviation of the uncertain arm's mean.
        noise: standard deviation of its rewards.
        cost: minus its prior mean.

    Attributes:
        knots: posterior means of the grid, [G].
        tried: value of the uncertain arm by pulls and trials left - 1, [T, T, G].
        known: value of the known arm, likewise.

    Source: Bradt, Johnson & Karlin 1956, "On sequential designs for maximizing the sum of n
    observations", for one known arm.
    """

    def __init__(self, horizon: int, spread: float, noise: float, cost: float) -> None:
        half = WIDEST * spread + cost + noise
        self.horizon = horizon
        self.knots = half * np.sinh(np.linspace(-5.0, 5.0, STEPS + 1)) / np.sinh(5.0)
        variance = posterior_variance(np.arange(horizon + 1), spread, noise)
        steps = np.sqrt(variance[:-1] - variance[1:])  # of the mean, by one more reward
        changes = [basis(self.knots, self.knots, step).T for step in steps]
        self.tried = np.zeros((horizon, horizon, len(self.knots)))
        self.known = np.zeros_like(self.tried)
        value = np.zeros((horizon + 1, len(self.knots)))  # by pulls, with no trial left
        # From the last trial to the first; n pulls leave at most T - n trials.
        for left in range(1, horizon + 1):
            possible = horizon - left + 1
            bends = coefficients(self.knots, value[1 : possible + 1])
            for n in range(possible):
                self.tried[n, left - 1] = self.knots + bends[n] @ changes[n]
            self.known[:possible, left - 1] = value[:possible]
            value = np.maximum(self.tried[:possible, left - 1], self.known[:possible, left - 1])

    def values(self, pulls: Array, left: Array, mean: Array) -> Array:
        """Value of either arm, interpolated, [N, 2]; all arguments [N]."""
        left = np.clip(np.rint(left), 1, self.horizon).astype(np.int64)
        pulls = np.clip(np.rint(pulls), 0, self.horizon - left).astype(np.int64)
        place = np.searchsorted(self.knots, mean, side="right") - 1
        place = np.clip(place, 0, len(self.knots) - 2)
        way = (mean - self.knots[place]) / (self.knots[place + 1] - self.knots[place])
        both = []
        for table in (self.known, self.tried):
            here, beyond = table[pulls, left - 1, place], table[pulls, left - 1, place + 1]
            both.append(here + way * (beyond - here))
        return np.stack(both, axis=1)


class LifetimeOptimal(ReferencePolicy):
    """Tries the uncertain arm for as long as what may be learned is worth the cost.

    The state is ``pulls`` [N] of the uncertain arm, its posterior mean ``mean`` [N], and ``left``
    [N], trials. Bayes-optimal, but for the interpolation of :class:`LifetimePlan`.

    Source: Lange & Sprekeler 2022, "Learning not to learn: nature versus nurture in silico".
    """

    name: ClassVar[str] = "lifetime_optimal"
    summary: ClassVar[str] = "exact optimum of a known and an uncertain arm, by lifetime"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, LifetimeBandit)  # why_not has refused all others
        self.horizon, self.cost = family.horizon, family.cost
        self.prior_sd, self.noise = family.spread, family.noise
        self.plan = lifetime_plan(family.horizon, family.spread, family.noise, family.cost)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the lifetime bandit can be played, up to 200 trials."""
        if not isinstance(family, LifetimeBandit):
            return "it plans for the two arms of LifetimeBandit"
        if family.horizon > LONGEST:
            return f"its table allows at most {LONGEST} trials, got {family.horizon}"
        return None

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact: backward induction over the posterior mean."""
        return EXACT

    @property
    def optimal_return(self) -> float:
        """Expected total reward of an episode."""
        return float(self.values(self.start(1, np.random.default_rng(0))).max())

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The prior mean, and all trials left."""
        state = {"pulls": np.zeros(n), "mean": np.full(n, -self.cost)}
        return Stores(state={**state, "left": np.full(n, float(self.horizon))})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of higher value, [N, 2]."""
        return spread(best_arms(self.values(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """The posterior mean moves towards a reward of the uncertain arm."""
        pulls, mean = stores.state["pulls"], stores.state["mean"]
        after = posterior_variance(pulls + 1.0, self.prior_sd, self.noise)
        moved = mean + after / self.noise**2 * (finite(reward) - mean)
        tried = action == 1
        state = {
            "pulls": pulls + tried,
            "mean": np.where(tried, moved, mean),
            "left": stores.state["left"] - 1.0,
        }
        return replace(stores, state=state)

    def values(self, stores: Stores) -> Array:
        """Reward still to come after either arm, [N, 2]."""
        state = stores.state
        return self.plan.values(state["pulls"], state["left"], state["mean"])


@lru_cache(maxsize=4)
def lifetime_plan(horizon: int, spread: float, noise: float, cost: float) -> LifetimePlan:
    """The plan, made once for equal arguments."""
    return LifetimePlan(horizon, spread, noise, cost)


def posterior_variance(pulls: Array, spread: float, noise: float) -> Array:
    """Variance of the uncertain arm's mean after a number of its rewards, elementwise."""
    variance: Array = spread**2 * noise**2 / (noise**2 + pulls * spread**2)
    return variance


def worth_of_learning(horizon: int, spread: float, noise: float = 1.0, cost: float = 1.0) -> float:
    """What to try the uncertain arm first earns more than never to try it; below 0, a loss."""
    plan = LifetimePlan(horizon, spread, noise, cost)
    start = np.zeros(1), np.full(1, horizon), np.full(1, -cost)
    return float(plan.values(*start)[0, 1])


def border(horizon: int, noise: float = 1.0, cost: float = 1.0) -> float:
    """The spread above which it is optimal to learn in a lifetime, below which never to try.

    Raises:
        InvalidTask: fewer than two trials, in which nothing can be learned and used, more than
            the plan allows, or no cost, where there is no such border.
    """
    if not 2 <= horizon <= LONGEST:
        raise InvalidTask(f"horizon must be from 2 to {LONGEST}, got {horizon}")
    if cost <= 0.0:
        raise InvalidTask(f"cost must be above 0, got {cost:g}; without it trying is always best")
    high = cost
    while worth_of_learning(horizon, high, noise, cost) <= 0.0:
        high *= 2.0
    found = brentq(
        lambda s: worth_of_learning(horizon, s, noise, cost), 1e-3 * cost, high, rtol=1e-4
    )
    return float(found)
