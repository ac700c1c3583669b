"""Restless Gaussian bandits: the means of all arms drift, whether they are pulled or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metalocus.envs.checks import (
    require_count,
    require_number,
    require_probability,
    require_within,
)
from metalocus.envs.common_random_numbers import LARGEST_NORMAL, CommonRandomNumbers
from metalocus.envs.family import Array, Family, Latents

LONGEST = 10**6
"""Trials of an episode at most: the range of the rewards is a sum over them."""


class RestlessBandit(Family):
    """K arms whose means drift: a random walk, or an Ornstein-Uhlenbeck process.

    ## Description
    Old rewards say less about an arm than recent ones: a learner must weigh recent rewards
    more, by a rate that follows the drift, and try arms again that it has not pulled for
    long. With ``pull_back=1`` the means are drawn anew at every trial, so past rewards
    carry no information: the control.

    ## Action Space
    ``Discrete(n_arms)``: the arm to pull.

    ## Observation Space
    Feedback only (previous action and reward, first-step flag); there is no stimulus.

    ## Starting State
    Each arm's mean is drawn from N(0, prior_sd^2).

    ## Rewards
    The arm's mean plus N(0, sd^2). Before every trial but the first, each mean m becomes
    (1 - pull_back) m + N(0, drift_sd^2).

    ## Episode End
    Terminates after ``horizon`` trials; never truncates.

    ## Information
    ``means`` of the coming trial only with ``reveal=True``.

    ## Arguments
    * ``n_arms``: number of arms, at least 2. Default 2.
    * ``horizon``: trials in an episode, at most a million. Default 50.
    * ``drift_sd``: standard deviation of a mean's change in a trial. Default .5; 0 for
      means that stay.
    * ``pull_back``: share of its distance from 0 that a mean loses in a trial; 0 is a
      random walk, more an Ornstein-Uhlenbeck process in discrete time. Default 0. The four
      arms of Daw 2006 have drift_sd=.7, pull_back=.0164, in units of the noise.
    * ``prior_sd``: standard deviation of the first means. Default 1.
    * ``sd``: standard deviation of the noise. Default 1.

    ## References
    Whittle 1988, "Restless bandits: activity allocation in a changing world"; Daw,
    O'Doherty, Dayan, Seymour & Dolan 2006, "Cortical substrates for exploratory decisions
    in humans", methods.

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "RestlessBandit-v0"
    separates: ClassVar[str] = "weighing recent rewards by the drift from plain averaging"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"pull_back": 1.0, "drift_sd": 1.0},
        {"pull_back": 0.1},
        {"n_arms": 4, "drift_sd": 0.7, "pull_back": 0.0164, "prior_sd": 3.9},
        {"drift_sd": 0.0},
        {"horizon": 1},
    )

    def __init__(
        self,
        n_arms: int = 2,
        horizon: int = 50,
        drift_sd: float = 0.5,
        pull_back: float = 0.0,
        prior_sd: float = 1.0,
        sd: float = 1.0,
    ) -> None:
        self.n_arms = require_count("n_arms", n_arms, 2)
        self.horizon = require_count("horizon", horizon, 1, LONGEST)
        self.drift_sd = require_number("drift_sd", drift_sd, 0.0)
        self.pull_back = require_probability("pull_back", pull_back)
        self.prior_sd = require_number("prior_sd", prior_sd, 0.0)
        self.sd = require_number("sd", sd, 0.0, above=True)
        kept = (1.0 - self.pull_back) ** np.arange(self.horizon)
        drifted = np.concatenate([[0.0], np.cumsum(kept[:-1])]) * self.drift_sd
        self.largest_mean = LARGEST_NORMAL * float((self.prior_sd * kept + drifted).max())
        most = self.largest_mean + LARGEST_NORMAL * self.sd
        self.reward_range = (-most, most)

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``means`` of the first trial [N, K]."""
        return {"means": self.prior_sd * crn.normal("task", 0, np.arange(self.n_arms)[None])}

    def means(self, latents: Latents) -> Array:
        """The latent itself, [N, K]."""
        return latents["means"]

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """Gaussian reward; then every mean drifts, whatever the action."""
        means = latents["means"]
        reward = means[np.arange(len(action)), action] + self.sd * crn.normal("reward", t, action)
        drift = crn.normal("drift", t + 1, np.arange(self.n_arms)[None])
        return reward, {"means": (1.0 - self.pull_back) * means + self.drift_sd * drift}

    def check_task(self, latents: Latents) -> None:
        """Means within what the prior can draw."""
        most = LARGEST_NORMAL * self.prior_sd
        require_within("means", latents["means"], -most, most)
