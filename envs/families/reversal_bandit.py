"""A bandit whose good arm switches without a signal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metalocus.envs.checks import require_below, require_count, require_flag, require_probability
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.families._switching import switched
from metalocus.envs.family import Array, Family, Latents, bernoulli_rewards


class ReversalBandit(Family):
    """One arm pays with probability p, the others with 1 - p; the good arm switches at a hazard.

    ## Description
    Probabilistic reversal learning: the agent must infer from the rewards alone that
    the good arm has changed. With ``cued=True`` the good arm is shown before every trial,
    so a policy without memory can respond perfectly and nothing needs to be learned: the
    control that tells responding from learning.

    ## Action Space
    ``Discrete(n_arms)``.

    ## Observation Space
    Feedback (previous action and reward, first-step flag), preceded by the
    one-hot good arm if ``cued``.

    ## Starting State
    The good arm is drawn uniformly.

    ## Rewards
    1 with probability ``p`` on the good arm and ``1 - p`` on any other, else 0. Before every
    trial but the first, another arm becomes the good one with probability ``hazard``, all
    others equally likely.

    ## Episode End
    Terminates after ``horizon`` trials; never truncates.

    ## Information
    ``good`` (the good arm) only with ``reveal=True``.

    ## Arguments
    * ``p``: the good arm's probability of reward. Default .75. (At p = .9 and h of .1 or
      more win-stay, lose-shift is optimal, so that setting separates nothing.)
    * ``hazard``: probability of a switch before each trial. Default .02.
    * ``horizon``: trials in an episode. Default 100.
    * ``cued``: show the good arm. Default False.
    * ``n_arms``: number of arms, at least 2. Default 2, where both arms' rewards are equally
      informative and no choice explores. With more arms, finding the new good arm takes
      exploration.

    ## References
    Behrens et al. 2007, "Learning the value of information in an uncertain world";
    Wang et al. 2018, "Prefrontal cortex as a meta-reinforcement learning system".

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "ReversalBandit-v0"
    separates: ClassVar[str] = (
        "tracking a hidden switch from counting; cued, responding from learning"
    )
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"cued": True},
        {"p": 0.9, "hazard": 0.1},
        {"horizon": 1},
        {"p": 1.0, "hazard": 0.0},
        {"p": 0.0, "hazard": 1.0, "cued": True},
        {"n_arms": 4, "p": 0.9},
        {"n_arms": 3, "cued": True},
    )

    def __init__(
        self,
        p: float = 0.75,
        hazard: float = 0.02,
        horizon: int = 100,
        cued: bool = False,
        n_arms: int = 2,
    ) -> None:
        self.n_arms = require_count("n_arms", n_arms, 2)
        self.p = require_probability("p", p)
        self.hazard = require_probability("hazard", hazard)
        self.horizon = require_count("horizon", horizon, 1)
        self.cued = self.telling = require_flag("cued", cued)
        self.stimulus_size = self.n_arms if self.cued else 0
        self.switches = "good"

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``good`` [N], the good arm of the first trial."""
        return {"good": self.n_arms - 1 - (crn.uniform("task") * self.n_arms).astype(np.int64)}

    def means(self, latents: Latents) -> Array:
        """Probability p for the good arm, 1 - p for the others, [N, K]."""
        return np.where(np.arange(self.n_arms) == latents["good"][:, None], self.p, 1.0 - self.p)

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """Bernoulli reward; then a switch at the hazard rate, whatever the action."""
        good = latents["good"]
        chance = np.where(action == good, self.p, 1.0 - self.p)
        reward = bernoulli_rewards(chance, action, t, crn)
        return reward, {"good": switched(good, self.n_arms, self.hazard, crn, t + 1)}

    def stimulus(self, latents: Latents) -> Array:
        """The good arm, one-hot, if cued, [N, K]; else [N, 0]."""
        if not self.cued:
            return super().stimulus(latents)
        good: Array = np.arange(self.n_arms) == latents["good"][:, None]
        return good.astype(np.float32)

    def check_task(self, latents: Latents) -> None:
        """The good arm is one of the arms."""
        require_below("good", latents["good"], self.n_arms)
