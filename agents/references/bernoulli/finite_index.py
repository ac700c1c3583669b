"""The finite-horizon Gittins index of Bernoulli arms, for the number of trials left."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.references.bernoulli.counts import Prior, cell, mean_reward, triangle
from metalocus.agents.references.bernoulli.index import (
    RETIREMENT_REWARDS,
    IndexPolicy,
    indifference,
)
from metalocus.envs import Family

LONGEST = 120
"""Trials: time grows with the cube of the horizon and memory with its square, here 2 s and 0.15
GB."""


class FiniteIndex(IndexPolicy):
    """Pulls the arm of highest index for the number of trials left.

    The index is that of the retirement problem in which the episode ends after the trials left:
    the retirement reward a trial at which pulling the arm once more and retiring now are worth
    the same. It falls as the end comes near; at the last trial it is the posterior mean.

    Source: Bradt, Johnson & Karlin 1956, "On sequential designs for maximizing the sum of
    n observations", for the one arm against a known one; as an index, Kaufmann 2018, "On
    Bayesian index policies for sequential resource allocation", section 2.
    """

    name: ClassVar[str] = "finite_index"
    summary: ClassVar[str] = "finite-horizon Gittins index (Bradt, Johnson & Karlin 1956)"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        successes, failures = triangle(family.horizon - 1)
        self.pulls = successes + failures

    @cached_property
    def table(self) -> Array:
        """The indices, see :func:`finite_table`; made when first asked for."""
        return finite_table(self.family.horizon, self.prior)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only horizons whose table can be made: it grows with their cube."""
        reason = super().why_not(family)
        if reason is None and family.horizon > LONGEST:
            n_bytes = 8.0 * len(RETIREMENT_REWARDS) * family.horizon**2 / 2.0
            size = f"{family.horizon} take {n_bytes:,.0f} bytes"
            return f"its table allows at most {LONGEST} trials, {size}; try `gittins`"
        return reason

    def index(self, stores: Stores) -> Array:
        """Finite-horizon index of every arm, [N, K]."""
        last = self.family.horizon - 1
        cells = cell(stores.state["successes"], stores.state["failures"], last)
        played = np.minimum(self.pulls[cells].sum(axis=1), last)
        index: Array = self.table[played[:, None], cells]
        return index


@lru_cache(maxsize=4)
def finite_table(horizon: int, prior: Prior) -> Array:
    """Index after t pulls in all of an arm with given counts, [T, C] with C as in ``triangle``.

    Backward induction on the value of the retirement problem: with n trials left, the better of
    n retirement rewards and one pull followed by the same choice. Counts that cannot be reached
    in t pulls have no index, NaN.
    """
    wins, losses = triangle(horizon - 1)
    mean = mean_reward(wins, losses, prior)[:, None]
    table = np.full((horizon, len(mean)), np.nan)
    value = np.zeros(((horizon + 1) * (horizon + 2) // 2, len(RETIREMENT_REWARDS)))
    advantage = np.empty((len(mean), len(RETIREMENT_REWARDS)))
    # From the values with one trial fewer left to those with `left`, in place: arms of few pulls
    # first, since their values come from those of one pull more.
    for left in range(1, horizon + 1):
        retire = left * RETIREMENT_REWARDS
        first = 0
        for pulls in range(horizon - left + 1):
            after = first + pulls + 1  # where the arms of one pull more begin
            failure, success = value[after : after + pulls + 1], value[after + 1 :][: pulls + 1]
            pull = failure + mean[first:after] * (1.0 + success - failure)
            np.subtract(pull, retire, out=advantage[first:after])
            np.maximum(pull, retire, out=value[first:after])
            first = after
        table[horizon - left, :first] = indifference(advantage[:first])
    return table
