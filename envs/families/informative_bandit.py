"""Wang's eleven-armed bandit, in which the reward of one arm tells which other arm is best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metalocus.envs.checks import require_below, require_count, require_flag
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.family import Array, Family, Latents

N_TARGETS = 10
TARGET_REWARD, OTHER_REWARD, UNIT = 5.0, 1.0, 0.1


class InformativeBandit(Family):
    """Ten arms of which one pays 5 and nine pay 1; the eleventh pays a tenth of its number.

    ## Description
    Information has a price here: the eleventh arm pays no more than any other, but its
    reward tells which arm is the target. There are two controls. With ``informative=False``
    the eleventh arm pays the tenth of a number drawn anew at every pull, so the target can
    only be found by trying arms. With ``cued=True`` the target is shown, so nothing needs to
    be learned.

    ## Action Space
    ``Discrete(11)``: arms 1 to 10 are actions 0 to 9, the informative arm is action 10.

    ## Observation Space
    Feedback (previous action and reward, first-step flag), preceded by a one-hot stimulus
    of ten numbers, the target, if ``cued``.

    ## Starting State
    Each of the ten arms is the target with probability 1/10.

    ## Rewards
    5 on the target, 1 on the nine others; on the informative arm a tenth of the target's
    number, .1 to 1. There is no noise.

    ## Episode End
    Terminates after ``horizon`` pulls; never truncates.

    ## Information
    ``target`` (from 0) only with ``reveal=True``.

    ## Arguments
    * ``horizon``: pulls in an episode. Default 5.
    * ``informative``: the eleventh arm's reward tells the target. Default True.
    * ``cued``: show the target. Default False.

    ## References
    Wang et al. 2016, "Learning to reinforcement learn", bandits with dependent
    arms (II).

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "InformativeBandit-v0"
    separates: ClassVar[str] = "paying for information from picking what pays now"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"informative": False},
        {"cued": True},
        {"horizon": 1},
    )
    n_arms = N_TARGETS + 1
    reward_range = (UNIT, TARGET_REWARD)

    def __init__(self, horizon: int = 5, informative: bool = True, cued: bool = False) -> None:
        self.horizon = require_count("horizon", horizon, 1)
        self.informative = require_flag("informative", informative)
        self.cued = self.telling = require_flag("cued", cued)
        self.stimulus_size = N_TARGETS if cued else 0

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``target`` [N], from 0 to 9."""
        return {"target": _number(crn.uniform("task"))}

    def means(self, latents: Latents) -> Array:
        """5 or 1; for the eleventh arm its reward, or the mean of its rewards, [N, 11]."""
        target = latents["target"]
        means = np.full((len(target), self.n_arms), OTHER_REWARD)
        means[np.arange(len(target)), target] = TARGET_REWARD
        average = UNIT * (N_TARGETS + 1) / 2.0
        means[:, -1] = UNIT * (target + 1) if self.informative else average
        return means

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """The arm's fixed reward, or a random one on an uninformative eleventh arm."""
        target = latents["target"]
        number = target if self.informative else _number(crn.uniform("reward", t))
        of_ten = np.where(action == target, TARGET_REWARD, OTHER_REWARD)
        return np.where(action == N_TARGETS, UNIT * (number + 1), of_ten), latents

    def stimulus(self, latents: Latents) -> Array:
        """One-hot target if cued, [N, 10]; else [N, 0]."""
        if not self.cued:
            return super().stimulus(latents)
        shown: Array = np.arange(N_TARGETS) == latents["target"][:, None]
        return shown.astype(np.float32)

    def check_task(self, latents: Latents) -> None:
        """The target is one of the ten arms."""
        require_below("target", latents["target"], N_TARGETS)


def _number(u: Array) -> Array:
    """Uniform numbers in [0, 1) as numbers from 0 to 9."""
    number: Array = np.floor(N_TARGETS * u).astype(np.int64)
    return number
