"""Bayes on the bandit whose arms may be sorted by position, and a policy that ignores positions."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import ClassVar

import numpy as np
from scipy.special import expit, gammaln

from metalocus.agents.agent import (
    EXACT,
    NEAR,
    UNRANKED,
    Array,
    ReferencePolicy,
    Stores,
    best_arms,
    spread,
)
from metalocus.agents.references.bernoulli import plain, quadrature
from metalocus.agents.references.bernoulli.counts import cell, triangle
from metalocus.agents.references.bernoulli.finite_index import finite_table
from metalocus.agents.references.bernoulli.policies import Greedy
from metalocus.envs import Family
from metalocus.envs.families.bernoulli_bandit import BernoulliBandit
from metalocus.envs.families.position_bandit import PositionBandit

MOST_STATES = 60_000
"""Posteriors that are planned over: two arms to 32 trials, three to 16; about half a second."""
MOST_NODES = 160
"""Trials and arms together: the nodes of the quadrature."""
MOST_NUMBERS = 2_000_000
"""Of an array that is computed at once, 16 MB."""
LEAST = 1e-300
"""Least probability that the arms are sorted; what is less was rounded away."""
UNIFORM = (1.0, 1.0)


class PositionBayes(ReferencePolicy):
    """Knows how often the arms are sorted; plans where it can, else pulls by an index.

    The belief is exact, see :class:`SortedArms`. Up to :data:`MOST_STATES` posteriors, dynamic
    programming over the counts of every arm makes the policy Bayes-optimal. Beyond, an arm's index
    is its exact posterior mean plus what its finite-horizon Gittins index adds to the mean of
    an independent arm of the same counts. If it is certain that the arms are sorted, the best one
    is known, and pulled.

    The state is ``successes`` and ``failures``, both [N, K].

    Source: Bellman 1956, "A problem in the sequential design of experiments", for the plan.
    """

    name: ClassVar[str] = "position_bayes"
    summary: ClassVar[str] = "exact belief that arms are sorted by position; optimal if few"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, PositionBandit)  # why_not has refused all others
        self.horizon, self.correlation = family.horizon, family.correlation
        self.best_last = family.best_last
        self.counter = Greedy(BernoulliBandit(self.n_arms, self.horizon))
        self.plan = None
        if _few(family):
            self.plan = position_plan(self.n_arms, self.horizon, self.correlation)
        else:
            self.arms = SortedArms(self.n_arms, self.horizon, self.correlation)
            if self.correlation < 1.0:
                self.table = finite_table(self.horizon, UNIFORM)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the bandit of positions, if its quadrature and its indices can be made."""
        if not isinstance(family, PositionBandit):
            return "it weighs the positions of PositionBandit"
        if family.n_arms + family.horizon > MOST_NODES:
            return f"it allows at most {MOST_NODES} trials and arms together"
        return None if _few(family) else plain.why_none(2, family.horizon)

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact where all posteriors are planned over, or the best arm is known."""
        assert isinstance(family, PositionBandit)  # why_not has refused all others
        return EXACT if _few(family) or family.correlation == 1.0 else NEAR

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No pulls yet."""
        return self.counter.start(n, rng)

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest value, [N, K]."""
        return spread(best_arms(self.values(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the pull to the counts of its arm."""
        return self.counter.learn(stores, stimulus, action, reward)

    def values(self, stores: Stores) -> Array:
        """Reward still to come after every arm, or its index, [N, K]."""
        cells = cell(stores.state["successes"], stores.state["failures"], self.horizon - 1)
        rising = cells if self.best_last else cells[:, ::-1]
        values = self.plan.values(rising) if self.plan is not None else self._index(rising)
        return values if self.best_last else values[:, ::-1]

    def _index(self, cells: Array) -> Array:
        """Index of every arm, the best one last where they are sorted, [N, K]."""
        means = self.arms.means(cells)
        if self.correlation == 1.0:
            return np.where(np.arange(self.n_arms) == self.n_arms - 1, means, 0.0)
        played = np.minimum(self.arms.pulls[cells].sum(axis=1), self.horizon - 1)
        bonus: Array = self.table[played[:, None], cells] - self.arms.mean[cells]
        return means + bonus


class PositionBlind(ReferencePolicy):
    """Plays the best policy of a plain bandit: positions mean nothing to it.

    What :class:`PositionBayes` earns more is what the position is worth.

    The state is ``successes`` and ``failures``, both [N, K].
    """

    name: ClassVar[str] = "position_blind"
    summary: ClassVar[str] = "the optimum of independent arms: ignores that they may be sorted"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.inner = plain.best_policy(family.n_arms, family.horizon)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the bandit of positions, of a size that a plain one can have."""
        if not isinstance(family, PositionBandit):
            return "it ignores the positions of PositionBandit"
        return plain.why_none(family.n_arms, family.horizon)

    @classmethod
    def optimality(cls, family: Family) -> int:
        """As that of the plain bandit's policy if positions do mean nothing."""
        assert isinstance(family, PositionBandit)  # why_not has refused all others
        if family.correlation > 0.0:
            return UNRANKED
        return plain.optimality(family.n_arms, family.horizon)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No pulls yet."""
        return self.inner.start(n, rng)

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Choice of the plain policy, [N, K]."""
        return self.inner.act(stimulus, stores)

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the pull to the counts of its arm."""
        return self.inner.learn(stores, stimulus, action, reward)

    def values(self, stores: Stores) -> Array | None:
        """Reward still to come if the arms were independent, [N, K]."""
        return self.inner.values(stores)


class SortedArms:
    """Posterior of arms that are sorted with a given probability, the best one last.

    Given that they are sorted, the means have the density K! Π f_k(p_k) where p_1 < ... < p_K, with
    f_k the Beta densities of independent arms. Its integrals are taken arm by arm, from the
    left (what is below) and from the right (what is above). All integrands are polynomials of a
    degree below the number of Gauss-Legendre nodes, so they are exact but for rounding.

    Args:
        n_arms: number of arms K.
        horizon: trials; at most one less have been played.
        chance: prior probability that the arms are sorted.

    Attributes:
        mean: posterior mean of an independent arm, by cell of ``triangle``, [C].
        pulls: pulls of that arm, [C].
    """

    def __init__(self, n_arms: int, horizon: int, chance: float) -> None:
        wins, losses = triangle(horizon - 1)
        self.pulls, self.mean = wins + losses, (wins + 1.0) / (wins + losses + 2.0)
        rule = quadrature.gauss_legendre(n_arms + horizon)
        self.density = quadrature.beta_density(wins + 1.0, losses + 1.0, rule)
        self.x, self.weights = rule.x, rule.weights
        self.above = quadrature.upper_weights(quadrature.legendre_coefficients(rule), rule.x)
        self.below = self.weights - self.above
        with np.errstate(divide="ignore"):
            self.prior_log_odds = np.log(chance) - np.log1p(-chance) + gammaln(n_arms + 1.0)

    def means(self, cells: Array) -> Array:
        """Posterior mean of every arm from the arms' places in ``triangle``, [N, K]."""
        rows = max(1, MOST_NUMBERS // (cells.shape[1] * len(self.x)))
        parts = [self._means(cells[i : i + rows]) for i in range(0, len(cells), rows)]
        return np.concatenate(parts)

    def _means(self, cells: Array) -> Array:
        """The same for a few rows."""
        f = self.density[cells]  # [N, K, M]
        below, above = np.ones_like(f), np.ones_like(f)
        # Probability that the arms to the left are sorted below x; to the right, above it.
        for k in range(1, f.shape[1]):
            below[:, k] = (f[:, k - 1] * below[:, k - 1]) @ self.below.T
            above[:, -1 - k] = (f[:, -k] * above[:, -k]) @ self.above.T
        joint = f * below * above * self.weights
        chance = np.maximum(joint.sum(axis=2), LEAST)  # the same for every arm
        if_sorted = np.clip(joint @ self.x / chance, 0.0, 1.0)
        is_sorted = expit(self.prior_log_odds + np.log(chance[:, :1]))
        means: Array = is_sorted * if_sorted + (1.0 - is_sorted) * self.mean[cells]
        return means


@lru_cache(maxsize=8)
def position_plan(n_arms: int, horizon: int, chance: float) -> PositionPlan:
    """The plan, made once."""
    return PositionPlan(n_arms, horizon, chance)


class PositionPlan:
    """Bayes-optimal play of arms that may be sorted: dynamic programming over all counts.

    Of each level, the posteriors after t pulls, two arrays are kept: ``keys`` [S], ascending: the
    arms' cells of ``triangle`` packed into one integer; ``q`` [S, K]: the value of every arm.

    Attributes:
        optimal_return: expected total reward of the optimal policy.
    """

    def __init__(self, n_arms: int, horizon: int, chance: float) -> None:
        self.horizon = horizon
        arms = SortedArms(n_arms, horizon, chance)
        self.pulls, self.base = arms.pulls, horizon * (horizon + 1) // 2
        self.place = self.base ** np.arange(n_arms)
        self.keys: list[Array] = [np.zeros(1, dtype=np.int64)]
        children: list[Array] = []
        # Forward: the posteriors that each level leads to, and their places in the next level.
        for _ in range(horizon - 1):
            keys = self.keys[-1]
            failed = (self.pulls[self._cells(keys)] + 1) * self.place
            after = keys[:, None, None] + np.stack([failed, failed + self.place], axis=2)
            following, child = np.unique(after, return_inverse=True)
            self.keys.append(following)
            children.append(child.reshape(after.shape))
        self.q: list[Array] = [arms.means(self._cells(self.keys[-1]))]
        # Backward: the values of a level from those of the next.
        for keys, child in zip(self.keys[-2::-1], reversed(children), strict=True):
            mean, after = arms.means(self._cells(keys)), self.q[0].max(axis=1)[child]
            self.q.insert(0, mean * (1.0 + after[..., 1]) + (1.0 - mean) * after[..., 0])
        self.optimal_return = float(self.q[0].max())

    def values(self, cells: Array) -> Array:
        """Value of every arm, [N, K]; 0 where no trial is left."""
        keys, played = cells @ self.place, self.pulls[cells].sum(axis=1)
        q = np.zeros(cells.shape)
        # Rows of one level are looked up together.
        for level in np.unique(played[played < self.horizon]):
            rows = played == level
            q[rows] = self.q[level][np.searchsorted(self.keys[level], keys[rows])]
        return q

    def _cells(self, keys: Array) -> Array:
        """The arms' cells of a key, [S] -> [S, K]."""
        cells: Array = keys[:, None] // self.place % self.base
        return cells


def _few(family: PositionBandit) -> bool:
    """Whether all posteriors can be planned over."""
    arms, horizon = family.n_arms, family.horizon
    return (
        arms + horizon <= MOST_NODES
        and arms * math.log2(horizon * (horizon + 1) / 2) < 63.0
        and math.comb(horizon - 1 + 2 * arms, 2 * arms) <= MOST_STATES
    )
