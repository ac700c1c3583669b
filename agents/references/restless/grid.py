"""The optimum of two restless Gaussian arms, up to a grid."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import NEAR, Array, Stores, best_arms, spread
from metalocus.agents.references.normal.two_arms import two_arm_plan, why_too_long
from metalocus.agents.references.restless.kalman_filter import KalmanPolicy
from metalocus.envs import Family


class RestlessGrid(KalmanPolicy):
    """Maximises the expected total reward of two arms by dynamic programming on a grid.

    The belief is the exact Kalman filter's; the value function is interpolated, see
    :class:`metalocus.agents.references.normal.two_arms.TwoArmPlan` for the error. Beside the
    filter the state holds ``left`` [N], the trials left.

    Source: Bellman 1957, "Dynamic programming", chapter 3, on the belief of Kalman 1960.
    """

    name: ClassVar[str] = "restless_grid"
    summary: ClassVar[str] = "two restless arms: finite-horizon optimum by DP on a belief grid"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.horizon = family.horizon
        self.plan = two_arm_plan(self.horizon, self.prior, self.noise, self.kept, self.drift)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Two arms, and a plan that fits into memory."""
        reason = super().why_not(family)
        if reason is not None:
            return reason
        if family.n_arms > 2:
            return f"its grid is for two arms, got {family.n_arms}"
        return why_too_long(family.horizon)

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Near the optimum: exact but for the error of the grid."""
        return NEAR

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The prior of every arm, and all trials left."""
        state = {**super().start(n, rng).state, "left": np.full(n, self.horizon)}
        return Stores(state=state)

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest value, [N, 2]."""
        return spread(best_arms(self.values(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """One step of the filter, and one trial fewer left."""
        filtered = super().learn(stores, stimulus, action, reward)
        left = stores.state["left"] - 1
        return replace(filtered, state={**filtered.state, "left": left})

    def values(self, stores: Stores) -> Array:
        """Reward still to come if the arm is pulled next, [N, 2]."""
        state = stores.state
        return self.plan.values(state["left"], state["mean"], state["variance"])
