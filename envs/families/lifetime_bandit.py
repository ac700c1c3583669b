"""A known arm and an uncertain one: whether it pays to learn depends on the length of life."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metalocus.envs.checks import require_count, require_number, require_within
from metalocus.envs.common_random_numbers import LARGEST_NORMAL, CommonRandomNumbers
from metalocus.envs.family import Array, Family, Latents


class LifetimeBandit(Family):
    """One arm always pays 0; the other costs 1 on average, but may pay well.

    ## Description
    To find out about the uncertain arm has a price, and what is found out can be used only for
    the rest of the episode. If life is short or the arm's mean varies little between episodes,
    never to try it is optimal: a fixed heuristic. Else learning is. The border between
    the two regimes is sharp and computed by
    :func:`metalocus.agents.references.normal.lifetime.border`.

    ## Action Space
    ``Discrete(2)``: the known arm (0) or the uncertain one (1).

    ## Observation Space
    Feedback only (previous action and reward, first-step flag); there is no stimulus.

    ## Starting State
    The uncertain arm's mean is drawn from N(-cost, spread^2).

    ## Rewards
    0 on the known arm; on the other its mean plus N(0, noise^2).

    ## Episode End
    Terminates after ``horizon`` pulls, the lifetime; never truncates.

    ## Information
    ``mean`` (of the uncertain arm) only with ``reveal=True``.

    ## Arguments
    * ``horizon``: pulls in an episode. Default 20.
    * ``spread``: standard deviation of the uncertain arm's mean. Default 2. (The border is at
      1.01 for 20 pulls, .80 for 50, and a cost and a noise of 1.)
    * ``noise``: standard deviation of its rewards about the mean. Default 1.
    * ``cost``: how much less than the known arm it pays on average. Default 1.

    ## References
    Lange & Sprekeler 2022, "Learning not to learn: nature versus nurture in silico" (arXiv
    2010.04466), the two-armed Gaussian bandit.

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "LifetimeBandit-v0"
    separates: ClassVar[str] = "when it pays to learn from when a fixed heuristic is optimal"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"horizon": 5, "spread": 1.0},
        {"horizon": 50, "spread": 1.0},
        {"cost": 0.0},
    )
    n_arms = 2

    def __init__(
        self, horizon: int = 20, spread: float = 2.0, noise: float = 1.0, cost: float = 1.0
    ) -> None:
        self.horizon = require_count("horizon", horizon, 1)
        self.spread = require_number("spread", spread, 0.0)
        self.noise = require_number("noise", noise, 0.0, above=True)
        self.cost = require_number("cost", cost, 0.0)
        self.farthest = LARGEST_NORMAL * self.spread
        most = self.cost + self.farthest + LARGEST_NORMAL * self.noise
        self.reward_range = (-most, most)

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``mean`` [N]."""
        return {"mean": self.spread * crn.normal("task") - self.cost}

    def means(self, latents: Latents) -> Array:
        """0 and the latent, [N, 2]."""
        mean = latents["mean"]
        return np.stack([np.zeros_like(mean), mean], axis=1)

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """0, or a Gaussian reward; the latents do not change."""
        drawn = latents["mean"] + self.noise * crn.normal("reward", t)
        return np.where(action == 1, drawn, 0.0), latents

    def check_task(self, latents: Latents) -> None:
        """A mean within what the prior can draw."""
        low, high = -self.cost - self.farthest, self.farthest - self.cost
        require_within("mean", latents["mean"], low, high)
