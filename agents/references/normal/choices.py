"""Choices by a normal belief about every arm's expected reward: greedy, upper bound, Thompson."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from scipy.special import ndtr

from metalocus.agents.agent import Array, ReferencePolicy, Stores, best_arms, spread

NODES = 128
"""Nodes of the quadrature: enough for an error below 1e-7 up to a ratio of 100 between sds."""
TAIL = 6.5
"""Standard deviations after which a normal tail, 4e-11, is left out."""
CHUNK_ENTRIES = 1_000_000
"""Entries of an array [N, K, NODES] that are computed at once, 8 MB: it stays in the cache."""
LEAST_SD = 1e-9
"""Stands for a standard deviation of 0, which cannot be divided by; far below any reward."""


class NormalPolicy(ReferencePolicy):
    """Chooses by independent normal beliefs about the expected rewards of the arms."""

    @abstractmethod
    def belief(self, stimulus: Array, stores: Stores) -> tuple[Array, Array]:
        """Mean and standard deviation of every arm's expected reward now, each [N, K]."""


class GreedyChoice(NormalPolicy):
    """Pulls the arm of highest posterior mean."""

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest mean, [N, K]."""
        return spread(best_arms(self.belief(stimulus, stores)[0])), stores


class BoundChoice(NormalPolicy):
    """Pulls the arm of highest mean + width standard deviations.

    Class attributes:
        width: in standard deviations of the posterior.
    """

    width: ClassVar[float]

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest bound, [N, K]."""
        mean, sd = self.belief(stimulus, stores)
        return spread(best_arms(mean + self.width * sd)), stores


class ThompsonChoice(NormalPolicy):
    """Pulls each arm with the posterior probability that it is the best one."""

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Probability that each arm is the best one, [N, K]."""
        return chance_of_best(*self.belief(stimulus, stores)), stores


def chance_of_best(mean: Array, sd: Array) -> Array:
    """Probability that each of K independent normal numbers is the greatest, [N, K].

    Of two, it is the normal distribution function of the difference. Of more, it is
    ∫ f_k(x) Π_{j≠k} F_j(x) dx, taken from l, the highest of the arms' mean - 6.5 sd: the
    greatest number is below l with a probability of 4e-11 at most. At a point l + y every arm
    of standard deviation below y / 13 lies wholly below, with density 0 and distribution
    function 1. So the grid may widen with y: it is even in arsinh(y / 13 min sd), and the
    trapezoidal rule on it errs by less than 1e-7 up to a ratio of 100 between the standard
    deviations.

    Args:
        mean: [N, K].
        sd: [N, K]; zeros stand for 1e-9.
    """
    sd = np.maximum(sd, LEAST_SD)
    if mean.shape[1] == 2:
        z = (mean - mean[:, ::-1]) / np.hypot(sd, sd[:, ::-1])
        return np.asarray(ndtr(z))
    rows = max(1, CHUNK_ENTRIES // (NODES * mean.shape[1]))
    parts = [_best(mean[i : i + rows], sd[i : i + rows]) for i in range(0, len(mean), rows)]
    probs: Array = np.concatenate(parts)
    probs /= probs.sum(axis=1, keepdims=True)
    return probs


def _best(mean: Array, sd: Array) -> Array:
    """:func:`chance_of_best`, up to a factor for each row."""
    low = (mean - TAIL * sd).max(axis=1, keepdims=True)
    high = (mean + TAIL * sd).max(axis=1, keepdims=True)
    unit = 2.0 * TAIL * sd.min(axis=1, keepdims=True)
    u = np.arcsinh((high - low) / unit) * np.linspace(0.0, 1.0, NODES)
    z = ((low + unit * np.sinh(u))[:, None] - mean[:, :, None]) / sd[:, :, None]
    below = ndtr(z)  # at least Φ(-6.5), so it can be divided by
    all_below = below.prod(axis=1) * np.cosh(u)
    hazard = np.exp(-0.5 * z**2) / (sd[:, :, None] * below)
    probs: Array = (hazard @ all_below[:, :, None])[:, :, 0]
    return probs
