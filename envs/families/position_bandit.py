"""A Bernoulli bandit in which an arm's position may tell how well it pays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metalocus.envs.checks import (
    require_count,
    require_flag,
    require_probability,
)
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.families._stationary import StationaryArms
from metalocus.envs.family import Latents


class PositionBandit(StationaryArms):
    """K stationary arms; in a share of the episodes the further right, the better an arm pays.

    ## Description
    Position and pay go together in training and may be parted in a test. An agent that learned
    to learn from rewards still finds the best arm; one that learned to go right does not. At
    ``correlation=1`` the last arm is always the best and nothing needs to be learned; at 0 it is
    a plain bandit. With ``best_last=False`` the first arms pay best.

    ## Action Space
    ``Discrete(n_arms)``: the arm to pull, from left to right.

    ## Observation Space
    Feedback only (previous action and reward, first-step flag); there is no stimulus.

    ## Starting State
    Each arm's probability is drawn from U[0, 1]. With probability ``correlation`` the arms are
    then sorted, the best one last, or first if not ``best_last``. So the expected rank
    correlation of position and pay (Spearman) is ``correlation``, or minus it.

    ## Rewards
    1 with the arm's probability, else 0.

    ## Episode End
    Terminates after ``horizon`` pulls; never truncates.

    ## Information
    ``means`` (true probabilities) only with ``reveal=True``.

    ## Arguments
    * ``n_arms``: number of arms, at least 2. Default 2.
    * ``horizon``: pulls in an episode. Default 30.
    * ``correlation``: expected rank correlation of position and pay, 0 to 1. Default .8.
    * ``best_last``: whether sorted arms pay better towards the right. Default True.

    ## References
    Langosco et al. 2022, "Goal misgeneralization in deep reinforcement learning", for a position
    that goes with the goal in training and not in the test.

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "PositionBandit-v0"
    separates: ClassVar[str] = "learning which arm pays from a habit of where it lies"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"correlation": 0.0},
        {"correlation": 1.0},
        {"best_last": False},
        {"n_arms": 3, "horizon": 50},
    )

    def __init__(
        self,
        n_arms: int = 2,
        horizon: int = 30,
        correlation: float = 0.8,
        best_last: bool = True,
    ) -> None:
        self.n_arms = require_count("n_arms", n_arms, 2)
        self.horizon = require_count("horizon", horizon, 1)
        self.correlation = require_probability("correlation", correlation)
        self.best_last = require_flag("best_last", best_last)

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``means`` [N, K]."""
        means = crn.uniform("task", 0, np.arange(self.n_arms)[None])
        rising = np.sort(means, axis=1)
        in_order = rising if self.best_last else rising[:, ::-1]
        is_sorted = crn.uniform("sorted") < self.correlation
        return {"means": np.where(is_sorted[:, None], in_order, means)}
