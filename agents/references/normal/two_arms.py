"""The finite-horizon optimum of two arms with normal beliefs, by dynamic programming on a grid."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from metalocus.agents.agent import Array
from metalocus.agents.references.normal.piecewise_linear import basis, coefficients

LONGEST = 100
"""Trials: the error was measured up to 50 and grows with the horizon."""
SDS = 24
"""Points of the grid for the standard deviation of either arm; with the next constant it decides
the error that :class:`TwoArmPlan` states."""
STEPS = 160
"""Intervals of the grid for the difference of the means, densest at 0."""
WIDEST = 7.0
"""Greatest difference on the grid, in the largest standard deviation that one can have: beyond
it, which has a probability of 3e-12, values are extrapolated linearly."""


def why_too_long(horizon: int) -> str | None:
    """Why there is no plan of that many trials, None if there is one."""
    if horizon <= LONGEST:
        return None
    return f"its grid allows at most {LONGEST} trials, got {horizon}"


@lru_cache(maxsize=4)
def two_arm_plan(horizon: int, prior: float, noise: float, kept: float, drift: float) -> TwoArmPlan:
    """The plan, made once for equal arguments; see :class:`TwoArmPlan`."""
    return TwoArmPlan(horizon, prior, noise, kept, drift)


class TwoArmPlan:
    """Action values of two arms whose means have independent normal posteriors.

    No choice changes the expected sum of the two means. So choices depend on the difference d
    of the posterior means and on the two variances alone. Backward induction: the value of
    either arm, less half the sum of the means, is ± d / 2 plus the expected optimal value of the
    next trial. That value is linear between 161 differences, for which the expectation is exact,
    and between 24 standard deviations of either arm.

    Error: the value is convex in the difference, so interpolation overestimates it. The optimal
    return is found within 0.1% at 10 trials and within 0.5% at 50, always above (against
    enumeration of the variances on finer grids). Both arms are overestimated alike, so the
    choices lose much less.

    Args:
        horizon: trials.
        prior: variance of a mean at first.
        noise: variance of a reward.
        kept: factor of a mean from trial to trial, 1 - pull-back.
        drift: variance of the normal step that is added to it.

    Attributes:
        q: value of the first arm, less half the sum of the means to come, by trials left - 1,
            standard deviation of the first and of the second arm, and difference, [T, P, P, G].
    """

    def __init__(self, horizon: int, prior: float, noise: float, kept: float, drift: float) -> None:
        self.horizon, self.prior, self.kept = horizon, prior, kept
        # The variances of an arm that is never and of one that is always pulled enclose all.
        unseen, seen, widest = prior, prior, prior
        extremes = [prior]
        for _ in range(horizon - 1):
            unseen = kept**2 * unseen + drift
            seen = kept**2 * seen * noise / (seen + noise) + drift
            widest = max(widest, unseen)
            extremes += [unseen, seen]
        least, most = np.sqrt(min(extremes)), np.sqrt(max(extremes))
        self.sds = least + max(most - least, 1e-6) * np.linspace(0.0, 1.0, SDS) ** 1.5
        half = WIDEST * np.sqrt(2.0 * max(widest, 1e-12))
        self.knots = half * np.sinh(np.linspace(-4.0, 4.0, STEPS + 1)) / np.sinh(4.0)
        self.q = self._solve(noise, drift)

    @property
    def optimal_return(self) -> float:
        """Expected total reward of an episode whose means are 0 in expectation."""
        sd = np.full(1, np.sqrt(self.prior))
        return float(self.first(np.full(1, self.horizon), sd, sd, np.zeros(1))[0])

    def values(self, left: Array, mean: Array, variance: Array) -> Array:
        """Reward still to come after either arm, [N, 2].

        Args:
            left: trials left, the coming one included, [N].
            mean: posterior means of the arms, [N, 2].
            variance: posterior variances of the arms' means, [N, 2].
        """
        difference, (one, two) = mean[:, 0] - mean[:, 1], np.sqrt(variance).T
        left = np.clip(np.rint(left), 1, self.horizon).astype(np.int64)
        both = [self.first(left, one, two, difference), self.first(left, two, one, -difference)]
        common = np.cumsum(self.kept ** np.arange(self.horizon))[left - 1]
        values: Array = np.stack(both, axis=1) + (common * mean.mean(axis=1))[:, None]
        return values

    def first(self, left: Array, one: Array, two: Array, difference: Array) -> Array:
        """Interpolated :attr:`q` of the arm of the first standard deviation, each [N] -> [N]."""
        total = np.zeros(len(left))
        # The eight corners of the grid cell about each point, weighted.
        for i, at_i in _corners(self.sds, one):
            for j, at_j in _corners(self.sds, two):
                for k, at_k in _corners(self.knots, difference, beyond=True):
                    total += at_i * at_j * at_k * self.q[left - 1, i, j, k]
        return total

    def _solve(self, noise: float, drift: float) -> Array:
        """Backward induction, [T, P, P, G]."""
        variance, kept = self.sds**2, self.kept
        explained = variance**2 / (variance + noise)  # variance that one reward removes
        seen = _weights(self.sds, np.sqrt(kept**2 * (variance - explained) + drift))
        unseen = _weights(self.sds, np.sqrt(kept**2 * variance + drift))
        changes = [basis(kept * self.knots, self.knots, kept * np.sqrt(e)) for e in explained]
        q = np.empty((self.horizon, SDS, SDS, len(self.knots)))
        value = np.zeros(q.shape[1:])
        # From the last trial to the first: expected optimal value of the next trial, then q.
        for left in range(self.horizon):
            ahead = np.einsum("ia,jb,abg->ijg", seen, unseen, value, optimize=True)
            bends = coefficients(self.knots, ahead)
            for i, change in enumerate(changes):
                q[left, i] = self.knots / 2.0 + bends[i] @ change.T
            value = np.maximum(q[left], q[left].transpose(1, 0, 2)[:, :, ::-1])
        return q


def _corners(grid: Array, x: Array, beyond: bool = False) -> list[tuple[Array, Array]]:
    """The two grid points about each x and their weights, [N] -> 2 x ([N], [N]).

    Outside the grid the nearest point counts alone, or if ``beyond`` the line goes on.
    """
    i = np.clip(np.searchsorted(grid, x, side="right") - 1, 0, len(grid) - 2)
    way = (x - grid[i]) / (grid[i + 1] - grid[i])
    way = way if beyond else np.clip(way, 0.0, 1.0)
    return [(i, 1.0 - way), (i + 1, way)]


def _weights(grid: Array, x: Array) -> Array:
    """Linear interpolation as a matrix, [N, len(grid)]."""
    weights = np.zeros((len(x), len(grid)))
    for i, weight in _corners(grid, x):
        weights[np.arange(len(x)), i] += weight
    return weights
