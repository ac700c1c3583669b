"""A two-armed bandit whose good arm switches without a signal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metalocus.envs.family import (
    Array,
    Family,
    InvalidTask,
    Latents,
    bernoulli_rewards,
    require_count,
    require_probability,
)
from metalocus.envs.luck import Luck


class ReversalBandit(Family):
    """Two arms that pay with probability p and 1 - p; which is which switches at hazard rate h.

    ## Description
    Probabilistic reversal learning: the agent must notice from the rewards alone that
    the good arm has become the bad one. With ``cued=True`` the good arm's side is shown
    before every trial, so that a policy without memory can respond perfectly and nothing
    needs to be learned: the control that tells responsiveness from learning.

    ## Action Space
    ``Discrete(2)``.

    ## Observation Space
    Feedback (previous action and reward, first-step flag), preceded by a one-hot
    stimulus of two numbers, the good arm's side, if ``cued``.

    ## Starting State
    Either arm is the good one with probability 1/2.

    ## Rewards
    1 with probability ``p`` on the good arm and ``1 - p`` on the other, else 0. Before
    every trial but the first, the good arm switches with probability ``hazard``.

    ## Episode End
    Terminates after ``horizon`` trials; never truncates.

    ## Information
    ``good`` (the good arm) only with ``reveal=True``.

    ## Arguments
    * ``p``: the good arm's probability of reward. Default .75. (At p = .9 and h of .1 or
      more win-stay, lose-shift is optimal, so that setting separates nothing.)
    * ``hazard``: probability of a switch before each trial. Default .02.
    * ``horizon``: trials in an episode. Default 100.
    * ``cued``: show the good arm's side. Default False.

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
    )

    def __init__(
        self, p: float = 0.75, hazard: float = 0.02, horizon: int = 100, cued: bool = False
    ) -> None:
        self.n_arms = 2
        self.p = require_probability("p", p)
        self.hazard = require_probability("hazard", hazard)
        self.horizon = require_count("horizon", horizon, 1)
        if not isinstance(cued, bool):
            raise InvalidTask(f"cued must be True or False, got {cued!r}")
        self.cued = cued
        self.stimulus_size = 2 if cued else 0
        self.telling = cued

    def begin(self, luck: Luck) -> Latents:
        """``good`` [N], the good arm of the first trial."""
        return {"good": (luck.uniform("task") < 0.5).astype(np.int64)}

    def means(self, latents: Latents) -> Array:
        """p for the good arm, 1 - p for the other, [N, 2]."""
        return np.where(np.arange(2) == latents["good"][:, None], self.p, 1.0 - self.p)

    def step(self, latents: Latents, action: Array, t: Array, luck: Luck) -> tuple[Array, Latents]:
        """Bernoulli reward, then perhaps a switch; switches are luck, not the agent's doing."""
        good = latents["good"]
        chance = np.where(action == good, self.p, 1.0 - self.p)
        reward = bernoulli_rewards(chance, action, t, luck)
        switch = luck.uniform("switch", t + 1) < self.hazard
        return reward, {"good": np.where(switch, 1 - good, good)}

    def stimulus(self, latents: Latents) -> Array:
        """One-hot side of the good arm if cued, [N, 2]; else [N, 0]."""
        if not self.cued:
            return super().stimulus(latents)
        side: Array = np.arange(2) == latents["good"][:, None]
        return side.astype(np.float32)

    def check_task(self, latents: Latents) -> None:
        """The good arm is 0 or 1."""
        if not np.isin(latents["good"], (0, 1)).all():
            raise InvalidTask(f"good must be 0 or 1, got {latents['good'].tolist()}")
