"""Intervals over training seeds, tests of predictions, and how many seeds would decide.

The unit is the training seed, and every task is judged alone: tasks that disagree, pooled, give
an interval that excludes both. Means have Student's t intervals. A prediction is tested against
the border of its region in both directions (Jones & Tukey 2000, "A sensible formulation of the
significance test"); several tests are taken together by Holm 1979, "A simple sequentially
rejective multiple test procedure". That values lie within a margin is shown by two one-sided
tests (Schuirmann 1987).

Simulated coverage of the interval at 3, 5 and 10 seeds (20,000 draws): .95 of normal values, .90
to .92 of Beta(8, 1), where most seeds are near the best, and .88 to .90 of exponential ones.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import nctdtr, ndtri, stdtr, stdtrit

from metalocus.experiments.scoring.sample import CONFIDENCE, require_finite

Array = NDArray[Any]
POWER = 0.8
"""Probability with which the seeds that are asked for should decide."""
MOST_SEEDS = 1000
"""Further training seeds that are still worth naming; a need of more counts as out of reach."""
RELATIONS = (">=", "<=", "within")
"""Regions that a prediction can name: at least a bound, at most one, between -bound and bound."""


class Verdict(StrEnum):
    """What the seeds say of a prediction."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Interval:
    """A mean with its 95% interval, over ``seeds`` training seeds."""

    estimate: float
    low: float
    high: float
    seeds: int


def interval(values: Sequence[float] | Array) -> Interval:
    """Mean over training seeds with Student's t interval.

    Args:
        values: [seeds].

    Raises:
        NonFinite: a value is not a finite number.
        ValueError: fewer than two seeds, which show no spread.
    """
    array, error = _with_error(values)
    reach = float(stdtrit(len(array) - 1, 0.5 + CONFIDENCE / 2)) * error
    mean = float(array.mean())
    return Interval(mean, mean - reach, mean + reach, len(array))


@dataclass(frozen=True)
class Tails:
    """Two one-sided p values: small ``inside`` speaks for the region, small ``outside`` against."""

    inside: float
    outside: float

    @property
    def both(self) -> float:
        """The p value of the test in either direction."""
        return min(1.0, 2.0 * min(self.inside, self.outside))

    def verdict(self, p: float) -> Verdict:
        """The direction that was found, if any.

        Args:
            p: of the test in both directions, after correction for all tests of its family.
        """
        if p > 1.0 - CONFIDENCE:
            return Verdict.UNDECIDED
        return Verdict.SUPPORTED if self.inside < self.outside else Verdict.REFUTED


def tails(values: Sequence[float] | Array, relation: str, bound: float) -> Tails:
    """Whether the mean over seeds lies in a region.

    Args:
        values: [seeds].
        relation: one of ``RELATIONS``.
        bound: border of the region.

    Raises:
        NonFinite, ValueError: as :func:`interval`.
    """
    if relation == "within":
        above, below = _tail(values, -bound), _tail(values, bound)
        return Tails(max(above, 1.0 - below), min(1.0 - above, below))
    above = _tail(values, bound)
    return Tails(above, 1.0 - above) if relation == ">=" else Tails(1.0 - above, above)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p values corrected for being one family (Holm 1979), in the same order."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    stepped = np.maximum.accumulate(np.asarray(p_values, dtype=float)[order] * factors)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(stepped, 1.0)
    return [float(p) for p in corrected]


def more_seeds(
    values: Sequence[float] | Array, relation: str, bound: float, tests: int = 1
) -> int | None:
    """Further training seeds with which the test would decide with probability ``POWER``.

    Supposes that mean and spread between seeds are those measured (power of a t test: Cohen 1988,
    "Statistical power analysis for the behavioral sciences", by the noncentral t distribution).

    Args:
        values: [seeds].
        relation: one of ``RELATIONS``.
        bound: border of the predicted region.
        tests: of the family; the level is that of the strictest of them.

    Returns:
        How many more (0 if the test decides already), None if over ``MOST_SEEDS``.
    """
    array, error = _with_error(values)
    now, mean = len(array), float(array.mean())
    borders = (-bound, bound) if relation == "within" else (bound,)
    distance = min(abs(mean - border) for border in borders)
    spread, level = error * np.sqrt(now), 1.0 - (1.0 - CONFIDENCE) / (2 * tests)

    def decides(more: int) -> bool:
        n = now + more
        if more == 0:  # what is measured is known, and not a matter of chance
            return bool(stdtrit(n - 1, level) * error < distance)
        shift = distance * np.sqrt(n) / spread
        return bool(1.0 - nctdtr(n - 1, shift, stdtrit(n - 1, level)) >= POWER)

    if decides(0):
        return 0
    if distance == 0.0 or not decides(MOST_SEEDS):
        return None
    return bisect_left(range(MOST_SEEDS + 1), True, lo=1, key=decides)


def episode_interval(values: Sequence[float] | Array) -> tuple[float, float, float]:
    """Mean of independent episodes with its 95% interval, by the normal approximation.

    Raises:
        NonFinite: a value is not a finite number.
    """
    array = np.asarray(values, dtype=float)
    require_finite("the value of an episode", array)
    reach = float(ndtri(0.5 + CONFIDENCE / 2)) * array.std(ddof=1) / np.sqrt(len(array))
    mean = float(array.mean())
    return mean, mean - reach, mean + reach


def _with_error(values: Sequence[float] | Array) -> tuple[Array, float]:
    """The values, and the standard error of their mean."""
    array = np.asarray(values, dtype=float)
    require_finite("a value of a training seed", array)
    if array.size < 2:
        raise ValueError(f"an interval needs at least 2 training seeds, got {array.size}")
    return array, float(array.std(ddof=1) / np.sqrt(array.size))


def _tail(values: Sequence[float] | Array, bound: float) -> float:
    """The one-sided p value of a mean above ``bound``; without spread 0, 1/2 or 1."""
    array, error = _with_error(values)
    distance = float(array.mean()) - bound
    if error == 0.0:
        return float(0.5 * (1.0 - np.sign(distance)))
    return float(stdtr(array.size - 1, -distance / error))
