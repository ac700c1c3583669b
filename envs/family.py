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

from metalocus.envs.checks import InvalidTask, require_count
from metalocus.envs.common_random_numbers import MOST_INDICES, CommonRandomNumbers

Array = NDArray[Any]
Latents = dict[str, Array]

MOST_BYTES = 4 * 2**30
"""Memory that the episodes played at once may take: half of a machine of 8 GiB."""
BYTES_PER_NUMBER = 40
"""Eight to keep a number, and four times as much for the random words it is drawn from."""


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
        telling: whether the first observation is evidence on which action has the highest
            privileged value.
        switches: name of the latent [N] that switches within an episode, whatever the agent does,
            and with it the best action; None if there is none.
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
    switches: str | None = None

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
        """Value of every action to a policy that is told the latents, [N, K].

        This is the expected reward from the coming trial on if the action is taken now and
        the best actions follow, less any part that is the same for all actions. Where
        actions do not influence later trials, it is the expected reward of the coming trial.
        """
        return self.means(latents)

    def stimulus(self, latents: Latents) -> Array:
        """What is shown before the coming trial, [N, S]."""
        return np.zeros((len(next(iter(latents.values()))), 0), dtype=np.float32)

    def check_task(self, latents: Latents) -> None:
        """Raise :class:`InvalidTask` if latents given by a user describe no task of this family."""

    def complete(self, latents: Latents) -> Latents:
        """Latents given by a user, with those that follow from others computed anew."""
        return latents

    @property
    def latent_size(self) -> int:
        """Numbers that the latents of one episode hold, at most."""
        return self.n_arms + self.stimulus_size

    def check_size(self, episodes: int) -> None:
        """Raise :class:`InvalidTask` if so many episodes at once cannot be played.

        Checked before anything is allocated: that the horizon, the arms and the stimulus
        have random numbers of their own, that rewards fit a float32 observation, and that
        the estimated memory is at most ``MOST_BYTES``.
        """
        name = type(self).__name__
        require_count("horizon", self.horizon, 1)
        for what, size in (("arms", self.n_arms), ("numbers in a stimulus", self.stimulus_size)):
            if size > MOST_INDICES:
                raise InvalidTask(f"{name} can have at most {MOST_INDICES} {what}, got {size}")
        largest, float32 = max(abs(bound) for bound in self.reward_range), np.finfo(np.float32)
        if not float(float32.tiny) <= largest <= float(float32.max):
            raise InvalidTask(f"rewards of {name} reach {largest:g}, which float32 cannot hold")
        observed = self.stimulus_size + self.n_arms + 3
        needed = episodes * (self.latent_size + observed) * BYTES_PER_NUMBER
        if needed > MOST_BYTES:
            raise InvalidTask(
                f"{episodes} {'episode' if episodes == 1 else 'episodes'} of {name} would take "
                f"about {needed / 2**30:,.1f} GiB of memory, more than {MOST_BYTES // 2**30} GiB; "
                "make the task smaller or play fewer episodes at once"
            )


def bernoulli_rewards(chance: Array, action: Array, t: Array, crn: CommonRandomNumbers) -> Array:
    """Rewards of 0 or 1 with the given chance [N]; the noise is fixed for each (trial, arm)."""
    return (crn.uniform("reward", t, action) < chance).astype(np.float64)
