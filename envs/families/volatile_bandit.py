"""A reversal task whose hazard rate switches, without a signal, between stable and volatile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metalocus.envs.checks import (
    require,
    require_below,
    require_count,
    require_flag,
    require_probability,
)
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.families._switching import switched
from metalocus.envs.family import Array, Family, Latents, bernoulli_rewards


class VolatileBandit(Family):
    """Two arms that pay with p and 1 - p; they switch rarely or often, in unsignalled blocks.

    ## Description
    Two things are hidden: which arm is the good one, and whether the block is stable or
    volatile. A loss is probably noise in a stable block and a switch in a volatile one, so
    the best learning rate follows the inferred volatility. With ``low_hazard`` equal to
    ``high_hazard`` there is one kind of block only, and a fixed learning rate is as good: the
    control. With ``cued=True`` the good arm is shown, and nothing needs to be learned at all.

    ## Action Space
    ``Discrete(2)``.

    ## Observation Space
    Feedback (previous action and reward, first-step flag), preceded by the one-hot good arm
    if ``cued``.

    ## Starting State
    Either arm is the good one with probability 1/2, and the first block is volatile with
    probability 1/2.

    ## Rewards
    1 with probability ``p`` on the good arm and ``1 - p`` on the other, else 0. Before every
    trial but the first, the kind of block changes with probability ``level_hazard``; then the
    good arm switches with the hazard of the block.

    ## Episode End
    Terminates after ``horizon`` trials; never truncates.

    ## Information
    ``good`` (the good arm) and ``volatile`` (1 in a volatile block) only with ``reveal=True``.

    ## Arguments
    * ``p``: the good arm's probability of reward. Default .75.
    * ``low_hazard``: probability of a switch before a trial in a stable block. Default 0.
    * ``high_hazard``: the same in a volatile block, at least ``low_hazard``. Default .2.
    * ``level_hazard``: probability of the other kind of block before each trial. Default .005.
    * ``horizon``: trials in an episode. Default 400.
    * ``cued``: show the good arm. Default False.

    ## References
    Behrens et al. 2007, "Learning the value of information in an uncertain world"; Wang et
    al. 2018, "Prefrontal cortex as a meta-reinforcement learning system".

    ## Version History
    * v1: other defaults. To know the hazard of the block is worth 6.5% of what is earned above
      chance (1.5% of the return), against the best fixed hazard. With those of v0 (p .8, hazards
      .01 and .2, level hazard .01, 200 trials) it was worth 2.5% (.7%).
    * v0: first version.
    """

    name: ClassVar[str] = "VolatileBandit-v1"
    separates: ClassVar[str] = "a learning rate that follows volatility from a fixed one"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"low_hazard": 0.05, "high_hazard": 0.05},
        {"cued": True},
        {"low_hazard": 0.0, "high_hazard": 1.0, "p": 1.0},
    )

    def __init__(
        self,
        p: float = 0.75,
        low_hazard: float = 0.0,
        high_hazard: float = 0.2,
        level_hazard: float = 0.005,
        horizon: int = 400,
        cued: bool = False,
    ) -> None:
        self.n_arms = 2
        self.p = require_probability("p", p)
        low = require_probability("low_hazard", low_hazard)
        high = require_probability("high_hazard", high_hazard)
        require(low <= high, f"high_hazard must be at least low_hazard, got {high} below {low}")
        self.hazards = np.array([low, high])
        self.level_hazard = require_probability("level_hazard", level_hazard)
        self.horizon = require_count("horizon", horizon, 1)
        self.cued = self.telling = require_flag("cued", cued)
        self.stimulus_size = 2 if self.cued else 0
        self.switches = "good"

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``good`` [N], the good arm, and ``volatile`` [N], the kind of block, at first."""
        good, volatile = crn.uniform("task") < 0.5, crn.uniform("level") < 0.5
        return {"good": good.astype(np.int64), "volatile": volatile.astype(np.int64)}

    def means(self, latents: Latents) -> Array:
        """Probability p for the good arm, 1 - p for the other, [N, 2]."""
        return np.where(np.arange(2) == latents["good"][:, None], self.p, 1.0 - self.p)

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """Bernoulli reward; then the block may change, and the good arm at the block's hazard."""
        good = latents["good"]
        chance = np.where(action == good, self.p, 1.0 - self.p)
        reward = bernoulli_rewards(chance, action, t, crn)
        volatile = switched(latents["volatile"], 2, self.level_hazard, crn, t + 1, "level")
        good = switched(good, 2, self.hazards[volatile], crn, t + 1)
        return reward, {"good": good, "volatile": volatile}

    def stimulus(self, latents: Latents) -> Array:
        """The good arm, one-hot, if cued, [N, 2]; else [N, 0]."""
        if not self.cued:
            return super().stimulus(latents)
        good: Array = np.arange(2) == latents["good"][:, None]
        return good.astype(np.float32)

    def check_task(self, latents: Latents) -> None:
        """There are two arms and two kinds of block."""
        for name in ("good", "volatile"):
            require_below(name, latents[name], 2)
