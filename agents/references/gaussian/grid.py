"""The optimum of two Gaussian arms of known noise, up to a grid."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.agent import NEAR, Array, Stores, best_arms, spread
from metalocus.agents.references.gaussian.posterior import GaussianPolicy
from metalocus.agents.references.normal.two_arms import two_arm_plan, why_too_long
from metalocus.envs import Family
from metalocus.envs.families.gaussian_bandit import GaussianBandit


class GaussianGrid(GaussianPolicy):
    """Maximises the expected total reward of two arms by dynamic programming on a grid.

    The belief is exact; the value function is interpolated, see
    :class:`metalocus.agents.references.normal.two_arms.TwoArmPlan` for the error.

    Source: Bellman 1956, "A problem in the sequential design of experiments", for normal
    rewards.
    """

    name: ClassVar[str] = "gaussian_grid"
    summary: ClassVar[str] = "two Gaussian arms: finite-horizon optimum by DP on a belief grid"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.plan = two_arm_plan(self.horizon, self.ratio, noise=1.0, kept=1.0, drift=0.0)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Two arms, noise of known variance, and a plan that fits into memory."""
        reason = super().why_not(family)
        if reason is not None:
            return reason
        if family.n_arms > 2 or (isinstance(family, GaussianBandit) and family.sd is None):
            return "its grid is for two arms and noise of known variance"
        return why_too_long(family.horizon)

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Near the optimum: exact but for the error of the grid."""
        return NEAR

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest value, [N, 2]."""
        return spread(best_arms(self.values(stores))), stores

    def values(self, stores: Stores) -> Array:
        """Reward still to come if the arm is pulled next, [N, 2]."""
        sd = self.noise_sd(stores)  # the plan's unit
        mean, variance = self.means(stores)
        return sd * self.plan.values(self.left(stores)[:, 0], mean / sd, variance)
