"""Hattori's probabilistic reversals: blocks of at least 60 trials, two contrasts of reward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from metalocus.envs.checks import require_below, require_count, require_probability
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.family import Array, Family, Latents, bernoulli_rewards

CHANCES = np.array([[0.6, 0.1], [0.525, 0.175]])
"""Probability of reward of the good and of the other arm, by contrast: high (0) or low (1)."""


class HattoriBandit(Family):
    """Two arms of which one pays more often, in long blocks; the good side switches between them.

    ## Description
    The schedule on which mice and deep networks were compared. Within a block the chances of
    reward are fixed, at one of two contrasts. A block lasts a minimal number of trials and then
    ends at a constant hazard, so an agent that knows the schedule trusts its choice within a
    block and doubts it after the minimum. With ``hazard=0`` there is one block: the control.

    ## Action Space
    ``Discrete(2)``: left (0) or right (1).

    ## Observation Space
    Feedback only (previous action and reward, first-step flag); there is no stimulus.

    ## Starting State
    Either arm is the good one, and either contrast holds, with probability 1/2. A block begins.

    ## Rewards
    1 with probability .6 on the good arm and .1 on the other, or .525 and .175 at the low
    contrast, else 0. Before every trial that has at least ``block`` trials of its block
    before it, the block ends with probability ``hazard``: the other arm becomes the good one,
    and the contrast is drawn anew.

    ## Episode End
    Terminates after ``horizon`` trials; never truncates.

    ## Information
    ``good`` (the good arm), ``contrast`` (0 high, 1 low) and ``age`` (trials of the block so far)
    only with ``reveal=True``.

    ## Arguments
    * ``block``: trials in the shortest block. Default 60.
    * ``hazard``: probability of the block's end before each later trial. Default .1, for
      blocks of 69 trials on average.
    * ``horizon``: trials in an episode, a session. Default 500.

    ## References
    Hattori et al. 2023, "Meta-reinforcement learning via orbitofrontal cortex". Here the end of
    a block does not depend on the choices, and a reward that is not collected is not kept.

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "HattoriBandit-v0"
    separates: ClassVar[str] = "knowing how long blocks last from a constant readiness to switch"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"hazard": 0.0, "horizon": 60},
        {"block": 3, "hazard": 0.5, "horizon": 40},
    )
    n_arms = 2

    def __init__(self, block: int = 60, hazard: float = 0.1, horizon: int = 500) -> None:
        self.block = require_count("block", block, 1)
        self.hazard = require_probability("hazard", hazard)
        self.horizon = require_count("horizon", horizon, 1)
        self.switches = "good"

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``good``, ``contrast`` and ``age``, each [N]."""
        good = (crn.uniform("task") < 0.5).astype(np.int64)
        return {"good": good, "contrast": self._contrast(crn, 0), "age": np.zeros(len(crn), int)}

    def means(self, latents: Latents) -> Array:
        """Chance of reward of either arm, [N, 2]."""
        chance = CHANCES[latents["contrast"]]
        first = (latents["good"] == 0)[:, None]
        return np.where(first, chance, chance[:, ::-1])

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """Bernoulli reward; then the block may end, whatever the action."""
        chance = self.means(latents)[np.arange(len(action)), action]
        reward = bernoulli_rewards(chance, action, t, crn)
        age = latents["age"] + 1
        ends = (age >= self.block) & (crn.uniform("switch", t + 1) < self.hazard)
        return reward, {
            "good": np.where(ends, 1 - latents["good"], latents["good"]),
            "contrast": np.where(ends, self._contrast(crn, t + 1), latents["contrast"]),
            "age": np.where(ends, 0, age),
        }

    @property
    def latent_size(self) -> int:
        """``good``, ``contrast`` and ``age``."""
        return 3

    def check_task(self, latents: Latents) -> None:
        """There are two arms and two contrasts, and a block's age is a number of trials."""
        for name in ("good", "contrast"):
            require_below(name, latents[name], 2)
        require_below("age", latents["age"], self.horizon)

    @staticmethod
    def _contrast(crn: CommonRandomNumbers, t: ArrayLike) -> Array:
        """Contrast of a block that begins at trial t, [N]."""
        return (crn.uniform("contrast", t) < 0.5).astype(np.int64)
