"""The Gittins index, for discounted reward without an end."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.references.bernoulli.calibration import (
    SURE_REWARDS,
    IndexPolicy,
    indifference,
)
from metalocus.agents.references.bernoulli.counts import Prior, cell, mean_reward
from metalocus.envs import Family

LEAST_DISCOUNT = 0.5
CUT_OFF = 5e-3


class Gittins(IndexPolicy):
    """Pulls the arm of highest Gittins index; optimal for discounted reward without an end.

    An episode of T trials has no discount, so one is chosen: 1 - 2 / T (.98 at 100
    trials), and not below 0.5. It has no end either: unlike ``finite_index``, it explores
    as much at the last trial as at the first.

    Source: Gittins 1979, "Bandit processes and dynamic allocation indices"; computed by
    calibration against a sure reward, Gittins, Glazebrook & Weber 2011, section 8.4.
    """

    name: ClassVar[str] = "gittins"
    summary: ClassVar[str] = "Gittins index, discount 1 - 2 / horizon (Gittins 1979)"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        discount = max(1.0 - 2.0 / family.horizon, LEAST_DISCOUNT)
        self.table = gittins_table(family.horizon, self.prior, discount)

    def index(self, stores: Stores) -> Array:
        """[N, K]."""
        successes, failures = stores.state["successes"], stores.state["failures"]
        index: Array = self.table[cell(successes, failures, self.family.horizon - 1)]
        return index


@lru_cache(maxsize=8)
def gittins_table(horizon: int, prior: Prior, discount: float) -> Array:
    """Gittins index of every arm of fewer than ``horizon`` pulls, [C] as in ``triangle``.

    Backward induction on the worth of an arm that can be given up for a sure reward, per
    unit of 1 / (1 - discount). It is cut off where reward counts for less than 1/200
    of what it does at the last index wanted: from there the arm is taken to be worth its
    mean, which lowers an index by less than 2e-6.
    """
    depth = horizon + int(np.ceil(np.log(CUT_OFF) / np.log(discount)))
    value = np.maximum(SURE_REWARDS, _means(depth, prior))
    levels = []
    for pulls in reversed(range(depth)):
        mean = _means(pulls, prior)
        success = (1.0 - discount) + discount * value[1:]
        privileged_value = mean * success + (1.0 - mean) * discount * value[:-1]
        if pulls < horizon:
            levels.append(indifference(privileged_value - SURE_REWARDS))
        value = np.maximum(SURE_REWARDS, privileged_value)
    return np.concatenate(levels[::-1])


def _means(pulls: int, prior: Prior) -> Array:
    """Posterior mean after 0 to ``pulls`` successes in that many pulls, [pulls + 1, 1]."""
    successes = np.arange(pulls + 1)[:, None]
    return mean_reward(successes, pulls - successes, prior)
