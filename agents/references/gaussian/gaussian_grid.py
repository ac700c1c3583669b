"""The optimum of two Gaussian arms of known noise, up to a grid."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.agent import NEAR, Array, Stores, best_arms, spread
from metalocus.agents.references.gaussian.belief import GaussianPolicy
from metalocus.agents.references.gaussian.two_arms import LONGEST, DifferencePlan
from metalocus.envs import Family
from metalocus.envs.families.gaussian_bandit import GaussianBandit


class GaussianGrid(GaussianPolicy):
    """Maximises the expected total reward of two arms by dynamic programming on a grid.

    The belief is exact; its worth is interpolated, see
    :class:`metalocus.agents.references.gaussian.two_arms.DifferencePlan` for the error.

    Source: Bellman 1956, "A problem in the sequential design of experiments", for normal
    rewards.
    """

    name: ClassVar[str] = "gaussian_grid"
    summary: ClassVar[str] = "two Gaussian arms: finite-horizon optimum by DP on a belief grid"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.plan = DifferencePlan(self.horizon, self.ratio, noise=1.0, kept=1.0, drift=0.0)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Two arms of known noise, not too many trials."""
        reason = super().why_not(family)
        if reason is not None:
            return reason
        if family.n_arms > 2 or (isinstance(family, GaussianBandit) and family.sd is None):
            return "its grid is for two arms and noise of known variance"
        if family.horizon > LONGEST:
            return f"its grid allows at most {LONGEST} trials, got {family.horizon}"
        return None

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Near: optimal but for the error of the grid."""
        return NEAR

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of greatest worth, [N, 2]."""
        return spread(best_arms(self.values(stores))), stores

    def values(self, stores: Stores) -> Array:
        """Reward still to come if the arm is pulled next, [N, 2]."""
        sd = self.noise_sd(stores)  # the plan's unit
        mean, variance = self.means(stores)
        return sd * self.plan.values(self.left(stores)[:, 0], mean / sd, variance)
