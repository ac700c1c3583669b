"""Stationary Gaussian bandits, noise of known or unknown variance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metalocus.envs.checks import require, require_count, require_number, require_within
from metalocus.envs.common_random_numbers import LARGEST_NORMAL, CommonRandomNumbers
from metalocus.envs.family import Array, Family, Latents

SHAPE, SCALE = 5.0, 4.0
"""Inverse-gamma prior of an unknown variance: mean 1, standard deviation 0.58."""

_LEAST_GAMMA = 1.4e-3  # quantile 2^-54 of the gamma distribution of shape SHAPE


class GaussianBandit(Family):
    """K arms that pay unknown means, drawn anew for every episode, with Gaussian noise.

    ## Description
    A single reward carries little information about its arm: a learner must average
    rewards, and trust an average by the number of rewards in it. With ``sd=None`` it must
    estimate the noise as well. With ``prior_sd=0`` all means are 0 and there is nothing to
    learn: the control.

    ## Action Space
    ``Discrete(n_arms)``: the arm to pull.

    ## Observation Space
    Feedback only (previous action and reward, first-step flag); there is no stimulus.

    ## Starting State
    Each arm's mean is drawn from N(0, prior_sd^2). With ``sd=None`` the noise's variance
    s^2, the same for all arms, is drawn first from the inverse-gamma distribution of shape
    5 and scale 4, and the means from N(0, prior_sd^2 s^2): the conjugate prior.

    ## Rewards
    The arm's mean plus N(0, sd^2).

    ## Episode End
    Terminates after ``horizon`` pulls; never truncates.

    ## Information
    ``means``, and ``sd`` if it is unknown, only with ``reveal=True``.

    ## Arguments
    * ``n_arms``: number of arms, at least 2. Default 2.
    * ``horizon``: pulls in an episode. Default 50.
    * ``prior_sd``: standard deviation of the means, in units of the noise's if that is
      unknown. Default 1.
    * ``sd``: standard deviation of the noise; None for an unknown one. Default 1.

    ## References
    DeGroot 1970, "Optimal statistical decisions", chapter 9; Ryzhov, Powell & Frazier
    2012, "The knowledge gradient algorithm for a general class of online learning
    problems".

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "GaussianBandit-v0"
    separates: ClassVar[str] = "averaging noisy rewards from repeating a lucky one"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"prior_sd": 0.0},
        {"sd": None},
        {"n_arms": 5, "sd": None, "prior_sd": 2.0},
        {"n_arms": 5, "sd": 2.0},
        {"horizon": 1},
    )

    def __init__(
        self,
        n_arms: int = 2,
        horizon: int = 50,
        prior_sd: float = 1.0,
        sd: float | None = 1.0,
    ) -> None:
        self.n_arms = require_count("n_arms", n_arms, 2)
        self.horizon = require_count("horizon", horizon, 1)
        self.prior_sd = require_number("prior_sd", prior_sd, 0.0)
        self.sd = None if sd is None else require_number("sd", sd, 0.0, above=True)
        self.largest_sd = float(np.sqrt(SCALE / _LEAST_GAMMA)) if self.sd is None else self.sd
        self.largest_mean = LARGEST_NORMAL * self.prior_sd * (1.0 if self.sd else self.largest_sd)
        most = self.largest_mean + LARGEST_NORMAL * self.largest_sd
        self.reward_range = (-most, most)

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``means`` [N, K]; and ``sd`` [N] if it is unknown."""
        means = self.prior_sd * crn.normal("task", 0, np.arange(self.n_arms)[None])
        if self.sd is not None:
            return {"means": means}
        from scipy.special import gammaincinv  # slow import, needed here alone

        u = np.maximum(crn.uniform("variance"), 2.0**-54)
        sd = np.sqrt(SCALE / gammaincinv(SHAPE, u))
        return {"means": means * sd[:, None], "sd": sd}

    def means(self, latents: Latents) -> Array:
        """The latent itself, [N, K]."""
        return latents["means"]

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """Gaussian reward; the latents do not change."""
        sd = self.sd if self.sd is not None else latents["sd"]
        mean = latents["means"][np.arange(len(action)), action]
        return mean + sd * crn.normal("reward", t, action), latents

    @property
    def latent_size(self) -> int:
        """``means``, and ``sd`` if it is unknown."""
        return self.n_arms + (self.sd is None)

    def check_task(self, latents: Latents) -> None:
        """Means, and an unknown standard deviation, within what the prior can draw."""
        require_within("means", latents["means"], -self.largest_mean, self.largest_mean)
        if self.sd is None:
            sd = latents["sd"]
            require(
                bool(((sd > 0.0) & (sd <= self.largest_sd)).all()),
                f"sd must be above 0 and at most {self.largest_sd:g}",
            )
