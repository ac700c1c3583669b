"""Contextual bandits with a hidden linear map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metalocus.envs.checks import require_count, require_number, require_within
from metalocus.envs.common_random_numbers import LARGEST_NORMAL, CommonRandomNumbers
from metalocus.envs.family import Array, Family, Latents

_WIDTH = float(np.sqrt(3.0))  # uniform on [-sqrt 3, sqrt 3] has variance 1


class LinearBandit(Family):
    """Each arm pays a hidden linear function of a context that is shown anew every trial.

    ## Description
    Learning must generalise: every context is new, so an agent has to learn the map from
    contexts to rewards. With ``prior_sd=0`` the map is 0 and contexts carry no information:
    the control. With ``n_tasks=1`` the map is the same in all episodes, so that training can
    learn it and nothing needs to be learned within an episode.

    ## Action Space
    ``Discrete(n_arms)``.

    ## Observation Space
    The context x, ``n_features`` numbers, followed by feedback (previous action and reward,
    first-step flag).

    ## Starting State
    Each arm's weights w are drawn from N(0, prior_sd^2 I / n_features).

    ## Rewards
    x . w of the arm plus N(0, sd^2). The numbers of x are drawn for every trial, uniformly
    from [-sqrt 3, sqrt 3], so that they have variance 1 and x . w has prior_sd^2.

    ## Episode End
    Terminates after ``horizon`` trials; never truncates.

    ## Information
    ``weights``, ``context`` and ``means`` only with ``reveal=True``.

    ## Arguments
    * ``n_arms``: number of arms, at least 2. Default 3.
    * ``n_features``: numbers in a context. Default 4.
    * ``horizon``: trials in an episode. Default 100.
    * ``prior_sd``: standard deviation of an arm's mean over contexts and maps. Default 1.
    * ``sd``: standard deviation of the noise. Default .5.

    ## References
    Auer 2002, "Using confidence bounds for exploitation-exploration trade-offs"; Li, Chu,
    Langford & Schapire 2010, "A contextual-bandit approach to personalized news article
    recommendation", section 3.1 (disjoint linear models).

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "LinearBandit-v0"
    separates: ClassVar[str] = "learning a map that generalises from learning which arm is good"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"prior_sd": 0.0},
        {"n_arms": 2, "n_features": 1},
        {"n_arms": 5, "n_features": 8, "sd": 1.0},
        {"horizon": 1},
    )
    stimulus_range = (-_WIDTH, _WIDTH)

    def __init__(
        self,
        n_arms: int = 3,
        n_features: int = 4,
        horizon: int = 100,
        prior_sd: float = 1.0,
        sd: float = 0.5,
    ) -> None:
        self.n_arms = require_count("n_arms", n_arms, 2)
        self.n_features = self.stimulus_size = require_count("n_features", n_features, 1)
        self.horizon = require_count("horizon", horizon, 1)
        self.prior_sd = require_number("prior_sd", prior_sd, 0.0)
        self.sd = require_number("sd", sd, 0.0, above=True)
        self.weight_sd = self.prior_sd / float(np.sqrt(self.n_features))
        largest_mean = self.n_features * _WIDTH * LARGEST_NORMAL * self.weight_sd
        most = largest_mean + LARGEST_NORMAL * self.sd
        self.reward_range = (-most, most)

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``weights`` [N, K, d] and the first ``context`` [N, d]."""
        numbers = crn.normal("task", 0, np.arange(self.n_arms * self.n_features)[None])
        weights = self.weight_sd * numbers.reshape(-1, self.n_arms, self.n_features)
        return {"weights": weights, "context": self._context(crn, 0)}

    def means(self, latents: Latents) -> Array:
        """Product x . w of every arm, [N, K]."""
        means: Array = (latents["weights"] @ latents["context"][:, :, None])[:, :, 0]
        return means

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """Gaussian reward, then another context."""
        weights = latents["weights"][np.arange(len(action)), action]
        mean = (weights * latents["context"]).sum(axis=1)
        reward = mean + self.sd * crn.normal("reward", t, action)
        return reward, {**latents, "context": self._context(crn, t + 1)}

    def stimulus(self, latents: Latents) -> Array:
        """The context, [N, d]."""
        return latents["context"]

    @property
    def latent_size(self) -> int:
        """``weights`` and ``context``."""
        return (self.n_arms + 1) * self.n_features

    def check_task(self, latents: Latents) -> None:
        """Weights and context within what can be drawn."""
        limits = {"weights": LARGEST_NORMAL * self.weight_sd, "context": _WIDTH}
        for name, most in limits.items():
            require_within(name, latents[name], -most, most)

    def _context(self, crn: CommonRandomNumbers, t: Array | int) -> Array:
        """Contexts of trial t, [N, d]."""
        u = crn.uniform("context", t, np.arange(self.n_features)[None])
        return _WIDTH * (2.0 * u - 1.0)
