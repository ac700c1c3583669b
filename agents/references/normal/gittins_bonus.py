"""The Gittins index of an arm with normal rewards of known variance, by backward induction.

With posterior mean μ and noise of standard deviation σ, the index is μ + σ × bonus. The bonus
depends on the precision n of the posterior alone, in units of one reward's: the prior's precision
plus the number of pulls. It is where the retirement problem of Whittle 1980, "Multi-armed bandits
and the Gittins index", is indifferent: an arm of mean -bonus or a reward of 0 for ever.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from metalocus.agents.agent import Array
from metalocus.agents.references.normal.piecewise_linear import basis, coefficients

KNOTS = 6.0 * np.sinh(np.linspace(-3.0, 3.0, 241)) / np.sinh(3.0)
"""Posterior means on the grid, in posterior standard deviations; densest at 0, where the value
function bends."""
LEAST_DISCOUNT = 0.5
"""For episodes of fewer than four trials, where 1 - 2 / T is near or below 0."""
MOST_DISCOUNT = 1.0 - 1e-9
"""For episodes of more than 2e9 trials: 1 - discount keeps seven digits in double precision."""
CUT_OFF = 5e-3
"""Discount factor at which the induction begins, counted from the last index wanted. An arm is
taken to be worth its mean from there, which lowers an index by less than 2e-6 (Bernoulli arms)."""
EXACT_PULLS = 500
"""Pulls that are taken one by one: the longest task of Duan et al. 2016, and some seconds of
computation. In longer episodes the later pulls are taken in batches, each of which takes the
precision up by 1 / 500; so the first batches are one pull."""
CONTINUITY = 0.5826
"""Stopping between batches alone lowers the bonus by this many standard deviations of a batch's
change of the mean, against stopping at any time (Chernoff & Petkau 1986, "Numerical solutions for
Bayes sequential decision problems"); likewise with pulls in place of batches."""


class LongRun(NamedTuple):
    """Solution of the retirement problem at many pulls, in batches.

    Attributes:
        precision: levels of the posterior's precision, rising, [L].
        bonus: Gittins index of mean 0 and unit noise at each of them, [L].
        value: of the better of pulling on and retiring at the first level, at posterior means
            of :data:`KNOTS` posterior standard deviations, [G].
    """

    precision: Array
    bonus: Array
    value: Array


def discount_of(horizon: int) -> float:
    """The discount that stands for an episode's end: 1 - 2 / T, within its limits."""
    return min(max(1.0 - 2.0 / horizon, LEAST_DISCOUNT), MOST_DISCOUNT)


def depth_of(horizon: int, discount: float) -> int:
    """Pulls at which the induction begins."""
    return horizon + int(np.ceil(np.log(CUT_OFF) / np.log(discount)))


@lru_cache(maxsize=8)
def gittins_bonus(horizon: int, evidence: float, discount: float) -> tuple[Array, Array]:
    """Numbers of pulls, rising, and the bonus at each of them, both [L].

    Up to :data:`EXACT_PULLS` pulls the numbers are 0, 1, 2, ...; then they grow by batches, and
    the bonus is to be interpolated between them. The values are piecewise linear on a grid,
    which errs upward, by less than 0.005 posterior standard deviations up to 200 trials.

    Args:
        horizon: pulls of which the bonus is wanted, 0 to ``horizon`` - 1.
        evidence: the prior's precision, in units of one reward's.
        discount: of reward, for each trial.
    """
    depth, one_by_one = depth_of(horizon, discount), min(horizon, EXACT_PULLS)
    if horizon > EXACT_PULLS:
        later = long_run(evidence + one_by_one, evidence + depth, discount)
        depth, value = one_by_one, later.value
    else:
        later = None
        value = np.maximum(KNOTS, 0.0) / np.sqrt(evidence + depth) / (1.0 - discount)
    bonus = np.empty(one_by_one)
    # From the value after a pull to the value before it.
    for pulls in reversed(range(depth)):
        before, after = evidence + pulls, evidence + pulls + 1
        mean, changed = KNOTS / np.sqrt(before), KNOTS / np.sqrt(after)
        weights = basis(mean, changed, 1.0 / np.sqrt(before * after))
        pull = mean + discount * (weights @ coefficients(changed, value))
        if pulls < one_by_one:
            bonus[pulls] = -np.interp(0.0, pull, mean)
        value = np.maximum(pull, 0.0)
    if later is None:
        return np.arange(one_by_one), bonus
    pulls_later = later.precision - evidence
    return np.append(np.arange(one_by_one), pulls_later), np.append(bonus, later.bonus)


@lru_cache(maxsize=8)
def long_run(first: float, last: float, discount: float) -> LongRun:
    """The retirement problem from precision ``last`` back to ``first``, in batches.

    In units of the posterior standard deviation every batch moves the mean alike, so one matrix
    serves all levels. The bonus is corrected for stopping between batches instead of between
    pulls, and then errs by less than 0.03 posterior standard deviations.

    Args:
        first: lowest level of precision wanted.
        last: precision from which the arm is taken to be worth its mean.
        discount: of reward, for each trial.
    """
    ratio = 1.0 + 1.0 / EXACT_PULLS
    precision = first * ratio ** np.arange(np.ceil(np.log(last / first) / np.log(ratio)) + 1.0)
    changed = KNOTS / np.sqrt(ratio)
    weights = basis(KNOTS, changed, np.sqrt(1.0 - 1.0 / ratio))
    value = np.maximum(KNOTS, 0.0) / np.sqrt(precision[-1]) / (1.0 - discount)
    bonus = np.empty(len(precision) - 1)
    # From the value after a batch to the value before it.
    for level in reversed(range(len(bonus))):
        mean, pulls = KNOTS / np.sqrt(precision[level]), precision[level] / EXACT_PULLS
        earned = -np.expm1(pulls * np.log(discount)) / (1.0 - discount)
        go_on = mean * earned + discount**pulls * (weights @ coefficients(changed, value))
        bonus[level] = -np.interp(0.0, go_on, mean)
        value = np.maximum(go_on, 0.0)
    precision = precision[:-1]
    batch, pull = np.sqrt(1.0 / EXACT_PULLS), np.sqrt(1.0 / precision)
    return LongRun(precision, bonus + CONTINUITY * (batch - pull) / np.sqrt(precision), value)
