"""What a task family is: how tasks are drawn, what the agent sees, how rewards come.

A family is a pure, batched description without any state of its own. The state of N
running episodes is a dictionary of *latents*, arrays with a leading episode axis, which
:class:`metalocus.envs.episodes.Episodes` keeps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from metalocus.envs.common_random_numbers import CommonRandomNumbers

Array = NDArray[Any]
Latents = dict[str, Array]


class Family(ABC):
    """A distribution of tasks, batched over episodes.

    Class attributes:
        name: Gymnasium id without the namespace, e.g. ``BernoulliBandit-v0``.
        separates: one line for ``metalocus list envs``: what this family tells apart.
        examples: keyword arguments of every configuration that the docstring names, beside
            the defaults; tests and the table of references run over them.

    Attributes:
        n_arms: number of actions K.
        horizon: trials in an episode T.
        stimulus_size: numbers in a stimulus S, 0 if there is none.
        reward_range: least and greatest reward.
        stimulus_range: least and greatest number in a stimulus.
        telling: whether the first observation says anything on which action is worth most:
            by a cue, or by evidence that it holds.
    """

    name: ClassVar[str]
    separates: ClassVar[str]
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = ()

    n_arms: int
    horizon: int
    stimulus_size: int = 0
    reward_range: tuple[float, float] = (0.0, 1.0)
    stimulus_range: tuple[float, float] = (0.0, 1.0)
    telling: bool = False

    @abstractmethod
    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """Draw a task for each episode of ``crn``; every latent is [N, ...]."""

    @abstractmethod
    def means(self, latents: Latents) -> Array:
        """True expected reward of every arm at the coming trial, [N, K]."""

    @abstractmethod
    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """Rewards of the actions and the latents of the next trial.

        Args:
            latents: before the trial; not changed.
            action: [N] integers below K.
            t: [N] trial numbers from 0 to horizon - 1.
            crn: the episodes' random numbers.

        Returns:
            reward [N] float, and latents.
        """

    def privileged_value(self, latents: Latents) -> Array:
        """What each action is worth to one who knows the latents, [N, K].

        The expected reward from the coming trial on if the action is taken now and the best
        ones are after it, up to what is the same for all actions. Where actions have no
        effect on what follows, that is the expected reward itself.
        """
        return self.means(latents)

    def stimulus(self, latents: Latents) -> Array:
        """What is shown before the coming trial, [N, S]."""
        return np.zeros((len(next(iter(latents.values()))), 0), dtype=np.float32)

    def check_task(self, latents: Latents) -> None:
        """Raise :class:`InvalidTask` if latents given by a user describe no task of this family."""

    def complete(self, latents: Latents) -> Latents:
        """Latents given by a user, those that follow from others worked out anew."""
        return latents


def bernoulli_rewards(chance: Array, action: Array, t: Array, crn: CommonRandomNumbers) -> Array:
    """Rewards of 0 or 1 with the given chance [N]; the noise is fixed for each (trial, arm)."""
    return (crn.uniform("reward", t, action) < chance).astype(np.float64)
