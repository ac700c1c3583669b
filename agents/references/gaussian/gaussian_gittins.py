"""The Gittins index of Gaussian arms, for discounted reward without an end."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores, best_arms, spread
from metalocus.agents.references.gaussian.belief import GaussianPolicy
from metalocus.agents.references.gaussian.gains import basis, coefficients
from metalocus.envs import Family
from metalocus.envs.families.gaussian_bandit import GaussianBandit

LEAST_DISCOUNT = 0.5
CUT_OFF = 5e-3
KNOTS = 6.0 * np.sinh(np.linspace(-3.0, 3.0, 241)) / np.sinh(3.0)
"""Posterior means that arms are weighed at, in posterior standard deviations; densest at 0."""


class GaussianGittins(GaussianPolicy):
    """Pulls the arm of highest Gittins index; optimal for discounted reward without an end.

    An episode of T trials has no discount, so one is chosen as in ``gittins``: 1 - 2 / T,
    and not below 0.5. The index of a Gaussian arm of known noise is its posterior mean
    plus the noise's standard deviation times a bonus that depends on the pulls alone; the
    bonus is computed by calibration on a grid, which errs upward, by less than 0.005
    posterior standard deviations up to 200 trials.

    Source: Gittins 1979, "Bandit processes and dynamic allocation indices"; Gittins,
    Glazebrook & Weber 2011, "Multi-armed bandit allocation indices", chapter 8.
    """

    name: ClassVar[str] = "gaussian_gittins"
    summary: ClassVar[str] = "Gittins index of Gaussian arms, discount 1 - 2 / horizon"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        discount = max(1.0 - 2.0 / self.horizon, LEAST_DISCOUNT)
        self.bonus = np.zeros(self.horizon)
        if self.ratio > 0.0:
            self.bonus = gittins_bonus(self.horizon, 1.0 / self.ratio, discount)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Known noise alone."""
        if isinstance(family, GaussianBandit) and family.sd is None:
            return "its index is for noise of known variance"
        return super().why_not(family)

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest index, [N, K]."""
        mean, _ = self.means(stores)
        pulls = np.rint(stores.state["pulls"]).astype(np.int64)
        bonus = self.bonus[np.clip(pulls, 0, self.horizon - 1)]
        return spread(best_arms(mean + self.noise_sd(stores) * bonus)), stores


@lru_cache(maxsize=8)
def gittins_bonus(horizon: int, evidence: float, discount: float) -> Array:
    """Gittins index of an arm of posterior mean 0 and unit noise, by number of pulls, [T].

    Backward induction on the worth of an arm that can be given up for a sure reward of 0;
    by how much its mean may be below 0 before it is given up is the bonus. It is cut off
    where reward counts for less than 1/200 of what it does at the last index wanted: from
    there the arm is taken to be worth its mean.

    Args:
        horizon: pulls of which indices are wanted, 0 to ``horizon`` - 1.
        evidence: pulls that the prior is worth.
        discount: of reward, for each trial.
    """
    depth = horizon + int(np.ceil(np.log(CUT_OFF) / np.log(discount)))
    bonus = np.empty(horizon)
    value = np.maximum(KNOTS, 0.0) / np.sqrt(evidence + depth) / (1.0 - discount)
    for pulls in reversed(range(depth)):
        before, after = evidence + pulls, evidence + pulls + 1
        mean, changed = KNOTS / np.sqrt(before), KNOTS / np.sqrt(after)
        weights = basis(mean, changed, 1.0 / np.sqrt(before * after))
        privileged_value = mean + discount * (weights @ coefficients(changed, value))
        if pulls < horizon:
            bonus[pulls] = -np.interp(0.0, privileged_value, mean)
        value = np.maximum(privileged_value, 0.0)
    return bonus
