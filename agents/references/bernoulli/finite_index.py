"""The finite-horizon index: like Gittins', but for the trials that are left."""

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
from metalocus.agents.references.bernoulli.counts import Prior, cell, mean_reward, triangle
from metalocus.envs import Family

LONGEST = 120


class FiniteIndex(IndexPolicy):
    """Pulls the arm of highest index for the number of trials left.

    The index is the sure reward a trial for which one would just give the arm up, were
    these two all there is and the trials left as many as they are. It explores less and
    less, and at the last trial it is the posterior mean. Not optimal, but close.

    Source: Bradt, Johnson & Karlin 1956, "On sequential designs for maximizing the sum of
    n observations", for the one arm against a known one; as an index, Kaufmann 2018, "On
    Bayesian index policies for sequential resource allocation", section 2.
    """

    name: ClassVar[str] = "finite_index"
    summary: ClassVar[str] = "finite-horizon Gittins index (Bradt, Johnson & Karlin 1956)"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.table = finite_table(family.horizon, self.prior)
        successes, failures = triangle(family.horizon - 1)
        self.pulls = successes + failures

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """The table grows with the cube of the horizon."""
        if family.horizon > LONGEST:
            return f"its table allows at most {LONGEST} trials, got {family.horizon}; try `gittins`"
        return super().why_not(family)

    def index(self, stores: Stores) -> Array:
        """[N, K]."""
        last = self.family.horizon - 1
        cells = cell(stores.state["successes"], stores.state["failures"], last)
        played = np.minimum(self.pulls[cells].sum(axis=1), last)
        index: Array = self.table[played[:, None], cells]
        return index


@lru_cache(maxsize=4)
def finite_table(horizon: int, prior: Prior) -> Array:
    """Index after t pulls in all of an arm with given counts, [T, C] with C as in ``triangle``.

    Backward induction on the worth of an arm that can be given up for a sure reward: with
    n trials left, the better of n sure rewards and one pull followed by the same choice.
    Arms that cannot have been pulled so often by then have no index, nan.
    """
    wins, losses = triangle(horizon - 1)
    mean = mean_reward(wins, losses, prior)[:, None]
    failed = np.arange(len(mean)) + wins + losses + 1
    table = np.full((horizon, len(mean)), np.nan)
    value = np.zeros(((horizon + 1) * (horizon + 2) // 2, len(SURE_REWARDS)))
    for left in range(1, horizon + 1):
        n = (horizon - left + 1) * (horizon - left + 2) // 2
        chance, after = mean[:n], failed[:n]
        failure = value[after]
        privileged_value = failure + chance * (1.0 + value[after + 1] - failure)
        sure = left * SURE_REWARDS
        table[horizon - left, :n] = indifference(privileged_value - sure)
        value = np.maximum(privileged_value, sure)
    return table
