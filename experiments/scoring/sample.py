"""Means over episodes and their standard errors, in memory that does not grow with the episodes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import helmert

from metalocus.agents.agent import NonFinite

Array = NDArray[Any]
CONFIDENCE = 0.95
"""Of every interval."""


class Sample:
    """C numbers of every episode, pooled over chunks of episodes.

    Whatever is computed from the numbers' means and covariances over episodes (means, ratios of
    means, and the standard errors of both) needs no more than these. So from the second chunk on
    the episodes are replaced by C + 1 points of the same mean and covariance (the "sigma points"
    of Julier & Uhlmann 1997, "A new extension of the Kalman filter to nonlinear systems"), and
    code that averages over episodes reads them as if they were the episodes. Of one chunk, the
    episodes themselves are kept. Numbers are combined along the first axis alone: no covariances
    are kept across the others.

    Attributes:
        n: how many episodes.
        columns: the numbers, [C, ..., M], of the M episodes or points.
    """

    def __init__(self) -> None:
        self.n = 0
        self.columns: Array = np.empty(0)

    def add(self, columns: Array) -> None:
        """Pool the numbers [C, ..., N] of N further episodes.

        Raises:
            NonFinite: one of them is NaN or infinite.
        """
        require_finite("what was measured", columns)
        added = columns.shape[-1]
        if self.n:
            points = self.columns.shape[-1]
            weights = np.repeat([self.n / points, 1.0], [points, added])
            columns = _points(np.concatenate([self.columns, columns], axis=-1), weights)
        self.n, self.columns = self.n + added, columns

    @property
    def weight(self) -> float:
        """Episodes that each of the M points stands for; 1 for an episode itself."""
        return float(self.n / self.columns.shape[-1])

    def standard_error(self, deviation: Array) -> Array:
        """Of a mean over episodes, [..., M] -> [...].

        Args:
            deviation: a linear combination of the ``columns`` and of constants: the numbers
                whose mean it is, or a ratio of means linearised around its value.
        """
        error: Array = deviation.std(axis=-1) / np.sqrt(self.n)
        return error


def _points(columns: Array, weights: Array) -> Array:
    """C + 1 points [C, ..., C + 1] with the mean and covariance of columns [C, ..., M].

    With R from the QR decomposition of the centred columns, R'R is M times their covariance. The
    rows of a Helmert matrix are orthonormal and add up to 0, so combining them by R gives points
    of that covariance and of mean 0. Unlike sums of products, this keeps a linear combination
    that is constant over episodes constant to rounding.

    Args:
        columns: to be replaced.
        weights: episodes that each of the M stands for, [M].
    """
    c, n = len(columns), weights.sum()
    mean = columns @ (weights / n)
    spread = (columns - mean[..., None]) * np.sqrt(weights / n)
    root = np.asarray(np.linalg.qr(np.moveaxis(spread, 0, -1), mode="r"))  # [..., min(M, C), C]
    directions = np.sqrt(c + 1) * helmert(c + 1)[: root.shape[-2]]
    offsets = np.einsum("...rc,rp->c...p", root, directions)
    points: Array = mean[..., None] + offsets
    return points


def require_finite(what: str, array: Array) -> None:
    """Raise :class:`NonFinite` unless all numbers of an array are finite."""
    if not np.isfinite(array).all():
        raise NonFinite(f"{what} is not finite")
