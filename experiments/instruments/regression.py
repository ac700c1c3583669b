"""Ridge regression in principal directions, its penalty chosen on episodes that are held out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from metalocus.agents.agent import Array

PENALTIES = np.logspace(-10, 2, 13)
"""Tried, as multiples of the mean variance of a direction and of the number of rows: from none,
which finds an exact relation to 1e-9, to one that leaves next to nothing."""
SMALLEST = 1e-7
"""Standard deviation, relative to the largest, below which a direction is rounding."""
ALMOST = 1e-12
"""Keeps the errors finite of an episode that decides its own prediction."""


class Ridge:
    """Predicts targets linearly from vectors, both centred: Hoerl & Kennard 1970.

    The vectors are written in their principal directions, at most ``most`` of them. Each block
    of targets has its own penalty, the one of least squared error on episodes that are held
    out whole, one at a time. With H the hat matrix and g the rows of an episode, the error there
    is (I - H_gg)^-1 (y - Hy)_g, which needs no fit anew (Cook & Weisberg 1982, "Residuals and
    influence in regression", section 3.6, for a group of rows).

    Args:
        x: vectors of N episodes at T trials, [T, N, D].
        y: targets, [T, N, Q].
        blocks: places of each block among the targets, by its name.
        most: principal directions.

    Attributes:
        directions: principal directions in order of variance, orthonormal, [D, W].
        spread: standard deviations along them, [W].
        weights: of the directions for each target, [W, Q].
    """

    def __init__(self, x: Array, y: Array, blocks: Mapping[str, slice], most: int) -> None:
        rows = np.concatenate(list(x))
        self.directions, self.spread = principal(rows, most)
        u = (x @ self.directions).astype(np.float64)
        n, variance = len(rows), self.spread**2
        toward = np.einsum("tnw,tnq->wq", u, y) / n
        mean = variance.mean() if len(variance) else 1.0
        losses, found = [], []
        for penalty in PENALTIES:
            shrunk = 1.0 / (variance + penalty * mean)
            weights = shrunk[:, None] * toward
            inside = np.einsum("tnw,snw->nts", u * (shrunk / n), u, optimize=True)
            left = np.eye(len(x)) * (1.0 + ALMOST) - inside
            error = np.linalg.solve(left, (y - u @ weights).transpose(1, 0, 2))
            losses.append((error**2).sum(axis=(0, 1)))
            found.append(weights)
        self.weights = np.empty_like(toward)
        for place in blocks.values():
            best = int(np.argmin([loss[place].sum() for loss in losses]))
            self.weights[:, place] = found[best][:, place]

    def scores(self, vectors: Array) -> Array:
        """Vectors [N, D] in the principal directions, [N, W]."""
        return (vectors @ self.directions).astype(np.float64)

    def predict(self, vectors: Array) -> Array:
        """Targets of vectors, [N, D] -> [N, Q]."""
        predicted: Array = self.scores(vectors) @ self.weights
        return predicted


def principal(rows: Array, most: int) -> tuple[Array, Array]:
    """Principal directions [D, W] of centred rows [R, D], and standard deviations, [W].

    From the smaller one of the two matrices of inner products.
    """
    n, size = rows.shape
    wide = size > n
    products = rows @ rows.T if wide else rows.T @ rows
    variance, vectors = np.linalg.eigh(products / n)
    variance, vectors = variance[::-1][:most], vectors[:, ::-1][:, :most]
    real = variance > SMALLEST**2 * max(variance.max(initial=0.0), ALMOST)
    spread, vectors = np.sqrt(variance[real]), vectors[:, real]
    directions = rows.T @ vectors / (spread * np.sqrt(n)) if wide else vectors
    return directions, spread.astype(np.float64)
