"""Exact finite-horizon plans for Bernoulli bandits: dynamic programming over posterior counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import numpy as np

from metalocus.agents.agent import Array
from metalocus.agents.references.bernoulli.counts import Prior, cell, mean_reward, triangle

MOST_STATES = 5_000_000
"""Posteriors of a plan: about 0.5 GB and 3 s for two to five arms."""


class Plan(Protocol):
    """The optimal action values at every posterior.

    Attributes:
        optimal_return: expected total reward of the optimal policy from the prior.
    """

    optimal_return: float

    def values(self, successes: Array, failures: Array) -> Array:
        """Reward still to come if the arm is pulled next and play is optimal after, [N, K]."""


def why_too_large(n_arms: int, horizon: int) -> str | None:
    """Why :class:`ExchangeablePlan` cannot be made, None if it can."""
    arms = min(n_arms, horizon)
    kinds = (horizon + 1) * (horizon + 2) // 2
    if arms * math.log2(kinds) >= 63:
        return f"{n_arms} arms and {horizon} trials do not fit a 64-bit state; use fewer of either"
    # Counting all is slow where they are many; ordered ones are easily counted, and each multiset
    # has at most arms! orders.
    states = math.comb(horizon - 1 + 2 * arms, 2 * arms) // math.factorial(arms)
    if states <= MOST_STATES:
        states = count_states(arms, horizon)
    if states > MOST_STATES:
        size = f"{n_arms} arms and {horizon} trials have at least {states:,} posteriors"
        n_bytes = f"(some {states * (arms + 1) * 8:,} bytes)"
        return f"{size} {n_bytes}, the limit is {MOST_STATES:,}; use fewer of either"
    return None


def count_states(arms: int, horizon: int) -> int:
    """Multisets of at most that many pulled arms with fewer than ``horizon`` pulls in all.

    There are n + 1 kinds of arm of n pulls, so i of them can be chosen in C(n + i, i) ways.
    """
    ways = np.zeros((horizon, arms + 1), dtype=object)  # by pulls in all and pulled arms
    ways[0, 0] = 1
    # Adds the arms of n pulls to the multisets of arms of fewer pulls.
    for n in range(1, horizon):
        more = ways.copy()
        for i in range(1, min(arms, (horizon - 1) // n) + 1):
            more[n * i :, i:] += math.comb(n + i, i) * ways[: horizon - n * i, : arms + 1 - i]
        ways = more
    return int(ways.sum())


@lru_cache(maxsize=4)
def exchangeable_plan(arms: int, horizon: int, prior: Prior) -> ExchangeablePlan:
    """The plan, made once; more arms than trials are as good as one arm a trial."""
    return ExchangeablePlan(min(arms, horizon), horizon, prior)


class ExchangeablePlan:
    """Bayes-optimal play of independent arms that share one Beta prior.

    The arms are exchangeable, so a posterior is a multiset of (successes, failures). Of
    each level, the posteriors after t pulls, two arrays are kept. ``keys`` [S], ascending: the
    arms' cells in descending order, packed into one integer. ``q`` [S, A]: the value of pulling
    each arm, in that order. No more arms than trials can be pulled, so A = min(K, T).
    Source: the recursion of Bellman 1956, "A problem in the sequential design of experiments".
    """

    def __init__(self, arms: int, horizon: int, prior: Prior) -> None:
        self.arms, self.horizon, self.prior = arms, horizon, prior
        wins, losses = triangle(horizon)
        self.pulls = wins + losses
        self.mean = mean_reward(wins, losses, prior)
        self.base = len(self.pulls)
        self.keys: list[Array] = [np.zeros(1, dtype=np.int64)]
        children: list[Array] = []
        # Forward: the posteriors that each level leads to, and their places in the next level.
        for _ in range(horizon - 1):
            following, child = np.unique(self.outcomes(self.keys[-1]), return_inverse=True)
            self.keys.append(following)
            children.append(child.astype(np.int32).reshape(-1, arms, 2))
        self.q: list[Array] = [self.mean[self.unpack(self.keys[-1])]]
        # Backward: the values of a level from those of the next.
        for keys, child in zip(self.keys[-2::-1], reversed(children), strict=True):
            mean = self.mean[self.unpack(keys)]
            after = self.q[0].max(axis=1)[child]
            self.q.insert(0, mean * (1.0 + after[..., 1]) + (1.0 - mean) * after[..., 0])
        self.optimal_return = float(self.q[0].max())

    def values(self, successes: Array, failures: Array) -> Array:
        """Value of every arm, [N, K]; its posterior mean where no trial is left."""
        cells = cell(successes, failures, self.horizon)
        order = np.argsort(-cells, axis=1, kind="stable")
        ranked = np.take_along_axis(cells, order, axis=1)[:, : self.arms]
        keys, played = self.pack(ranked), self.pulls[cells].sum(axis=1)
        q = np.zeros(ranked.shape)
        # Rows of one level are looked up together.
        for level in np.unique(played[played < self.horizon]):
            rows = played == level
            q[rows] = self.q[level][np.searchsorted(self.keys[level], keys[rows])]
        # Arms beyond A are untried, and so then is the last of the A.
        rank = np.minimum(np.argsort(order, axis=1), self.arms - 1)
        q = np.take_along_axis(q, rank, axis=1)
        return np.where(played[:, None] < self.horizon, q, self.mean[cells])

    def outcomes(self, keys: Array) -> Array:
        """Keys after a failure and after a success of every arm, [S] -> [S, A, 2]."""
        cells = self.unpack(keys)
        after = np.repeat(cells[:, None, None], self.arms, axis=1).repeat(2, axis=2)
        for arm in range(self.arms):
            failed = cells[:, arm] + self.pulls[cells[:, arm]] + 1
            after[:, arm, 0, arm], after[:, arm, 1, arm] = failed, failed + 1
        return self.pack(-np.sort(-after, axis=-1))

    def pack(self, cells: Array) -> Array:
        """Arms' cells as the digits of one integer, [..., A] -> [...]."""
        packed: Array = cells @ self.base ** np.arange(self.arms, dtype=np.int64)
        return packed

    def unpack(self, keys: Array) -> Array:
        """Inverse of :meth:`pack`, [S] -> [S, A]."""
        digits: Array = keys[:, None] // self.base ** np.arange(self.arms, dtype=np.int64)
        return digits % self.base


def why_too_long(horizon: int) -> str | None:
    """Why :class:`MirroredPlan` cannot be made, None if it can."""
    states = horizon * (horizon + 1) // 2
    if states <= MOST_STATES:
        return None
    size = f"{horizon} trials have {states:,} posteriors (some {states * 16:,} bytes)"
    return f"{size}, the limit is {MOST_STATES:,}; use fewer trials"


class MirroredPlan:
    """Bayes-optimal play of two arms with p2 = 1 - p1.

    A success of one arm is as likely, given p1, as a failure of the other. So a pull of either
    arm is equally informative about p1, the two values differ by the coming reward alone, and
    greedy choice on the exact posterior mean is Bayes-optimal.

    Args:
        horizon: trials T.
        first_mean: posterior mean of p1 after a number of successes of arm 1 or failures of arm
            2, and a number of the opposite, elementwise.
    """

    def __init__(self, horizon: int, first_mean: Callable[[Array, Array], Array]) -> None:
        self.horizon = horizon
        self.q: Array = np.empty((horizon * (horizon + 1) // 2, 2))
        after = np.zeros(horizon + 1)
        # From the optimal values after n + 1 pulls to those after n.
        for n in reversed(range(horizon)):
            signs = np.arange(n + 1)
            mean = first_mean(signs, n - signs)
            still = mean * after[1:] + (1.0 - mean) * after[:-1]
            level = np.stack([mean + still, 1.0 - mean + still], axis=1)
            self.q[n * (n + 1) // 2 :][: n + 1] = level
            after = np.maximum(level[:, 0], level[:, 1])
        self.optimal_return = float(after[0])

    def values(self, successes: Array, failures: Array) -> Array:
        """Value of every arm, [N, 2]."""
        signs = successes + failures[:, ::-1]
        values: Array = self.q[cell(signs[:, 0], signs[:, 1], self.horizon - 1)]
        return values
