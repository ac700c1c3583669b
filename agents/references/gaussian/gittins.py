"""The Gittins index of Gaussian arms, for discounted reward without an end."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores, best_arms, spread
from metalocus.agents.references.gaussian.posterior import GaussianPolicy
from metalocus.agents.references.normal.gittins_bonus import discount_of, gittins_bonus
from metalocus.envs import Family
from metalocus.envs.families.gaussian_bandit import GaussianBandit


class GaussianGittins(GaussianPolicy):
    """Pulls the arm of highest Gittins index; optimal for discounted reward without an end.

    An episode of T trials has no discount, so one is chosen as in ``gittins``: 1 - 2 / T, and
    not below 0.5. The index of an arm of known noise is its posterior mean plus the noise's
    standard deviation times a bonus that depends on the pulls alone, see
    :mod:`metalocus.agents.references.normal.gittins_bonus`. Beyond 500 trials it is an
    approximation, which errs by less than 0.03 posterior standard deviations.

    Source: Gittins 1979, "Bandit processes and dynamic allocation indices"; Gittins,
    Glazebrook & Weber 2011, "Multi-armed bandit allocation indices", chapter 8.
    """

    name: ClassVar[str] = "gaussian_gittins"
    summary: ClassVar[str] = "Gittins index of Gaussian arms; approximate beyond 500 trials"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.at, self.bonus = np.zeros(1), np.zeros(1)  # no bonus where the means are known
        if self.ratio > 0.0:
            discount = discount_of(self.horizon)
            self.at, self.bonus = gittins_bonus(self.horizon, 1.0 / self.ratio, discount)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Known noise alone."""
        if isinstance(family, GaussianBandit) and family.sd is None:
            return "its index is for noise of known variance"
        return super().why_not(family)

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest index, [N, K]."""
        mean, _ = self.means(stores)
        bonus = np.interp(stores.state["pulls"], self.at, self.bonus)
        return spread(best_arms(mean + self.noise_sd(stores) * bonus)), stores
