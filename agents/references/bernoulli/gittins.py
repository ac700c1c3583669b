"""The Gittins index of Bernoulli arms, for discounted reward without an end."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import numpy as np
from scipy.special import betainc, betaincc

from metalocus.agents.agent import Array, Stores
from metalocus.agents.references.bernoulli.counts import Prior, cell, mean_reward
from metalocus.agents.references.bernoulli.index import (
    RETIREMENT_REWARDS,
    IndexPolicy,
    indifference,
)
from metalocus.agents.references.normal.gittins_bonus import (
    EXACT_PULLS,
    KNOTS,
    LongRun,
    depth_of,
    discount_of,
    long_run,
)
from metalocus.envs import Family

ROWS = 32
"""Numbers of successes that are computed at once: their values, 0.26 MB, stay in the cache."""


class Gittins(IndexPolicy):
    """Pulls the arm of highest Gittins index; optimal for discounted reward without an end.

    An episode of T trials has no discount, so one is chosen: 1 - 2 / T (.98 at 100
    trials), and not below 0.5. It has no end either: unlike ``finite_index``, it explores
    as much at the last trial as at the first.

    Up to 500 trials the indices are exact but for the grid of retirement rewards. In longer
    episodes an arm of 500 pulls and more is taken to have normal rewards of the variance that
    its posterior mean p implies, p (1 - p) (the diffusion approximation of Brezzi & Lai 2002,
    "Optimal learning and experimentation in bandit problems", solved numerically). The indices
    then err by less than 1e-3.

    Source: Gittins 1979, "Bandit processes and dynamic allocation indices"; computed by
    calibration against a retirement reward, Gittins, Glazebrook & Weber 2011, section 8.4.
    """

    name: ClassVar[str] = "gittins"
    summary: ClassVar[str] = (
        "Gittins index, discount 1 - 2 / horizon; approximate beyond 500 trials"
    )

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        discount = discount_of(family.horizon)
        self.table = gittins_table(family.horizon, self.prior, discount)
        self.later = None
        if family.horizon > EXACT_PULLS:
            self.later = diffusion(family.horizon, self.prior, discount)

    def index(self, stores: Stores) -> Array:
        """Gittins index of every arm, [N, K]."""
        successes, failures = stores.state["successes"], stores.state["failures"]
        last = min(self.family.horizon, EXACT_PULLS) - 1
        index: Array = self.table[cell(successes, failures, last)]
        if self.later is not None:
            mean, pulls = self.posterior_mean(stores), successes + failures
            precision = pulls + sum(self.prior)
            bonus = np.interp(precision, self.later.precision, self.later.bonus)
            index = np.where(pulls > last, mean + np.sqrt(mean * (1.0 - mean)) * bonus, index)
        return index


@lru_cache(maxsize=8)
def gittins_table(horizon: int, prior: Prior, discount: float) -> Array:
    """Gittins index of every arm of fewer than ``horizon`` and than 500 pulls, [C].

    C is as in :func:`~metalocus.agents.references.bernoulli.counts.triangle`. Backward induction
    on the value of the retirement problem, as a reward a trial (in units of 1 / (1 - discount)).
    It begins where the arm is taken to be worth its mean
    (:data:`~metalocus.agents.references.normal.gittins_bonus.CUT_OFF`), or at 500 pulls from the
    diffusion approximation.
    """
    wanted = min(horizon, EXACT_PULLS)
    if horizon > EXACT_PULLS:
        depth = wanted
        value = _value_of(diffusion(horizon, prior, discount), prior, discount)
    else:
        depth = depth_of(horizon, discount)
        value = np.maximum(RETIREMENT_REWARDS, _means(depth, prior))
    levels = []
    # From the values of arms of n + 1 pulls to those of arms of n pulls, in place.
    for pulls in reversed(range(depth)):
        mean, index = _means(pulls, prior), np.empty(pulls + 1)
        for first in range(0, pulls + 1, ROWS):
            these = slice(first, min(first + ROWS, pulls + 1))
            failure, success = value[these], value[first + 1 : these.stop + 1]
            win = (1.0 - discount) + discount * success
            pull = mean[these] * win + (1.0 - mean[these]) * discount * failure
            if pulls < wanted:
                index[these] = indifference(pull - RETIREMENT_REWARDS)
            np.maximum(RETIREMENT_REWARDS, pull, out=failure)
        if pulls < wanted:
            levels.append(index)
    return np.concatenate(levels[::-1])


def diffusion(horizon: int, prior: Prior, discount: float) -> LongRun:
    """The retirement problem of an arm of unit variance from 500 pulls on."""
    evidence = float(sum(prior))
    return long_run(evidence + EXACT_PULLS, evidence + depth_of(horizon, discount), discount)


def _value_of(later: LongRun, prior: Prior, discount: float) -> Array:
    """Value of the retirement problem at 500 pulls, as a reward a trial, [501, G].

    That of the diffusion approximation, and no more than E max(p, λ), the value if the arm's
    mean p were known: normal rewards are not bounded, as those of arms near 0 and 1 are.

    Args:
        later: the solution for unit variance.
        prior: of the arm.
        discount: of reward, for each trial.
    """
    mean, precision = _means(EXACT_PULLS, prior), later.precision[0]
    sd = np.sqrt(mean * (1.0 - mean))
    x = (mean - RETIREMENT_REWARDS) / sd * np.sqrt(precision)
    option = later.value * (1.0 - discount) - np.maximum(KNOTS, 0.0) / np.sqrt(precision)
    value = np.maximum(RETIREMENT_REWARDS, mean) + sd * np.interp(x, KNOTS, option)
    a, b = mean * precision, (1.0 - mean) * precision
    below, above = betainc(a, b, RETIREMENT_REWARDS), betaincc(a + 1.0, b, RETIREMENT_REWARDS)
    known = RETIREMENT_REWARDS * below + mean * above
    clipped: Array = np.clip(value, RETIREMENT_REWARDS, known)
    return clipped


def _means(pulls: int, prior: Prior) -> Array:
    """Posterior mean after 0 to ``pulls`` successes in that many pulls, [pulls + 1, 1]."""
    successes = np.arange(pulls + 1)[:, None]
    return mean_reward(successes, pulls - successes, prior)
