"""Juliani's rainbow bandit: which of two colours pays is hidden, and their sides change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metalocus.envs.checks import (
    require_below,
    require_count,
    require_flag,
    require_probability,
    require_within,
)
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.family import Array, Family, Latents, bernoulli_rewards

CHANNELS = 3


class RainbowBandit(Family):
    """Two coloured arms, in new colours every episode; one colour pays, on a random side.

    ## Description
    The agent must find out which colour pays and choose the side where it is shown: reward
    has to be bound to a colour never seen before, not to an action. A policy that repeats
    the action that paid is at chance. With ``cued=True`` the paying colour is
    shown a second time, in a place of its own, so that nothing needs to be learned: the
    control.

    ## Action Space
    ``Discrete(2)``: the left or the right arm.

    ## Observation Space
    The colours of the left and of the right arm, red, green and blue each, and the paying
    colour if ``cued``; followed by feedback (previous action and reward, first-step flag).

    ## Starting State
    The paying colour c is drawn uniformly from [0, 1]^3; the other is its complement 1 - c.

    ## Rewards
    1 with probability ``p`` on the paying colour and ``1 - p`` on the other, else 0. In
    every trial the paying colour is on either side with probability 1/2.

    ## Episode End
    Terminates after ``horizon`` trials; never truncates.

    ## Information
    ``colour`` (the one that pays) and ``side`` (where it is) only with ``reveal=True``.

    ## Arguments
    * ``p``: the paying colour's probability of reward. Default 1, as in the original.
    * ``horizon``: trials in an episode. Default 100.
    * ``cued``: show the paying colour. Default False.

    ## References
    Juliani 2017, "Learning policies for learning policies: meta reinforcement learning
    (RL^2) in Tensorflow", the notebook "Rainbow bandit"; the task of issue 211 of
    Stable-Baselines3-contrib, "Recurrent PPO not training well on a very simple
    environment"; a small relative of Harlow 1949, "The formation of learning sets".

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "RainbowBandit-v0"
    separates: ClassVar[str] = "binding reward to a colour from binding it to an action"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"cued": True},
        {"p": 0.75},
        {"p": 0.0, "cued": True},
        {"horizon": 1},
    )
    n_arms = 2

    def __init__(self, p: float = 1.0, horizon: int = 100, cued: bool = False) -> None:
        self.p = require_probability("p", p)
        self.horizon = require_count("horizon", horizon, 1)
        self.cued = self.telling = require_flag("cued", cued)
        self.stimulus_size = CHANNELS * (3 if cued else 2)

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``colour`` that pays [N, 3] and its ``side`` at the first trial [N]."""
        colour = crn.uniform("task", 0, np.arange(CHANNELS)[None])
        return {"colour": colour, "side": _side(crn, 0)}

    def means(self, latents: Latents) -> Array:
        """Probability p on the paying colour's side, 1 - p on the other, [N, 2]."""
        return np.where(np.arange(2) == latents["side"][:, None], self.p, 1.0 - self.p)

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """Bernoulli reward; then the sides of the next trial, whatever the action."""
        chance = np.where(action == latents["side"], self.p, 1.0 - self.p)
        reward = bernoulli_rewards(chance, action, t, crn)
        return reward, {**latents, "side": _side(crn, t + 1)}

    def stimulus(self, latents: Latents) -> Array:
        """[left | right | paying colour if cued], [N, 6] or [N, 9]."""
        colour, right = latents["colour"], latents["side"][:, None] == 1
        left = np.where(right, 1.0 - colour, colour)
        return np.concatenate([left, 1.0 - left, *([colour] if self.cued else [])], axis=1)

    def check_task(self, latents: Latents) -> None:
        """Colours in the unit cube; the side is 0 or 1."""
        require_within("colour", latents["colour"], 0.0, 1.0)
        require_below("side", latents["side"], 2)


def _side(crn: CommonRandomNumbers, t: Array | int) -> Array:
    """Side of the paying colour at trial t, [N]."""
    return (crn.uniform("side", t) < 0.5).astype(np.int64)
