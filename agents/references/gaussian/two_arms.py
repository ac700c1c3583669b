"""Dynamic programming over the belief on two Gaussian arms, on a grid."""

from __future__ import annotations

import numpy as np

from metalocus.agents.agent import Array
from metalocus.agents.references.gaussian.gains import basis, coefficients

LONGEST = 100
SPREADS, STEPS = 24, 160
WIDEST = 7.0
"""Greatest difference on the grid, in the largest standard deviation that one can have."""


class DifferencePlan:
    """Worth of two arms whose means are known up to independent normal errors.

    The sum of the two posterior means changes by nobody's doing in expectation, so the
    belief that choices depend on is the difference d of the means and the two variances.
    Backward induction: the worth of either arm is ± d / 2 + what is expected to follow,
    linear between 161 differences (of which an expectation is exact) and between 24
    standard deviations of either arm.

    Error: the worth is convex in the difference, so it is overestimated. The optimal return
    is found within 0.1% at 10 trials and within 0.5% at 50, always above (by exact
    enumeration of the variances on finer grids); as both arms are overestimated alike, the
    choices lose much less.

    Args:
        horizon: trials.
        prior: variance of a mean at first.
        noise: variance of a reward.
        kept: share of a mean that stays from trial to trial.
        drift: variance of what is added to it.

    Attributes:
        worth: of the first arm, less half the two arms' means to come, by trials left - 1,
            standard deviation of the first and the second arm, and difference, [T, P, P, G].
    """

    def __init__(self, horizon: int, prior: float, noise: float, kept: float, drift: float) -> None:
        self.horizon, self.prior, self.kept = horizon, prior, kept
        unseen, seen, widest = prior, prior, prior  # variances never and always observed
        extremes = [prior]
        for _ in range(horizon - 1):
            unseen = kept**2 * unseen + drift
            seen = kept**2 * seen * noise / (seen + noise) + drift
            widest = max(widest, unseen)
            extremes += [unseen, seen]
        least, most = np.sqrt(min(extremes)), np.sqrt(max(extremes))
        self.sds = least + max(most - least, 1e-6) * np.linspace(0.0, 1.0, SPREADS) ** 1.5
        half = WIDEST * np.sqrt(2.0 * max(widest, 1e-12))
        self.knots = half * np.sinh(np.linspace(-4.0, 4.0, STEPS + 1)) / np.sinh(4.0)
        self.privileged_value = self._solve(noise, drift)

    @property
    def optimal_return(self) -> float:
        """Expected total reward of an episode whose means are 0 in expectation."""
        sd = np.full(1, np.sqrt(self.prior))
        return float(self.first(np.full(1, self.horizon), sd, sd, np.zeros(1))[0])

    def values(self, left: Array, mean: Array, variance: Array) -> Array:
        """Reward still to come after either arm, [N, 2].

        Args:
            left: trials left, the coming one included, [N].
            mean, variance: of the arms' means, [N, 2].
        """
        difference, (one, two) = mean[:, 0] - mean[:, 1], np.sqrt(variance).T
        left = np.clip(np.rint(left), 1, self.horizon).astype(np.int64)
        both = [self.first(left, one, two, difference), self.first(left, two, one, -difference)]
        common = np.cumsum(self.kept ** np.arange(self.horizon))[left - 1]
        values: Array = np.stack(both, axis=1) + (common * mean.mean(axis=1))[:, None]
        return values

    def first(self, left: Array, one: Array, two: Array, difference: Array) -> Array:
        """Worth of the arm of the first standard deviation, each argument [N] -> [N]."""
        total = np.zeros(len(left))
        for i, at_i in _corners(self.sds, one):
            for j, at_j in _corners(self.sds, two):
                for k, at_k in _corners(self.knots, difference, beyond=True):
                    total += at_i * at_j * at_k * self.privileged_value[left - 1, i, j, k]
        return total

    def _solve(self, noise: float, drift: float) -> Array:
        """Backward induction, [T, P, P, G]."""
        variance, kept = self.sds**2, self.kept
        explained = variance**2 / (variance + noise)  # by one reward
        seen = _weights(self.sds, np.sqrt(kept**2 * (variance - explained) + drift))
        unseen = _weights(self.sds, np.sqrt(kept**2 * variance + drift))
        changes = [basis(kept * self.knots, self.knots, kept * np.sqrt(e)) for e in explained]
        privileged_value = np.empty((self.horizon, SPREADS, SPREADS, len(self.knots)))
        value = np.zeros(privileged_value.shape[1:])
        for left in range(self.horizon):
            ahead = np.einsum("ia,jb,abg->ijg", seen, unseen, value, optimize=True)
            bends = coefficients(self.knots, ahead)
            for i, change in enumerate(changes):
                privileged_value[left, i] = self.knots / 2.0 + bends[i] @ change.T
            value = np.maximum(
                privileged_value[left], privileged_value[left].transpose(1, 0, 2)[:, :, ::-1]
            )
        return privileged_value


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
