"""A family as a ``gymnasium.Env``."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from metalocus.envs import render
from metalocus.envs.checks import (
    InvalidTask,
    require_flag,
    require_options,
    require_seed,
    short_repr,
)
from metalocus.envs.common_random_numbers import first_key
from metalocus.envs.layout import action_space, observation_space
from metalocus.envs.registry import make_episodes


class SingleEnv(gym.Env[NDArray[np.float32], np.int64]):
    """One episode at a time; see the family's docstring for the task.

    Args:
        env_id: which family, set by the registration.
        render_mode: None, ``ansi`` or ``rgb_array``.
        reveal: put the hidden variables into ``info``.
        **kwargs: the family's arguments and ``observe``, ``n_tasks``, ``task_seed``.

    ``reset(options={"task": {...}})`` plays a given task.

    Raises:
        InvalidTask: unknown environment or argument, or an impossible value.
    """

    metadata: dict[str, Any] = {"render_modes": list(render.MODES), "render_fps": 4}

    def __init__(
        self, /, env_id: str, render_mode: str | None = None, reveal: bool = False, **kwargs: Any
    ) -> None:
        self.render_mode = render.require_mode(render_mode)
        self.reveal = require_flag("reveal", reveal)
        self.episodes = make_episodes(env_id, **kwargs)
        self.observation_space = observation_space(self.episodes.layout)  # type: ignore[assignment]
        self.action_space = action_space(self.episodes.layout)
        self._keyed_by: np.random.Generator | None = None

    @property
    def metalocus_horizon(self) -> int:
        """Trials in an episode, under a name that no foreign environment has."""
        return self.episodes.family.horizon

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin the next episode; a seed begins a reproducible sequence of episodes.

        Raises:
            InvalidTask: an impossible seed, option or task.
        """
        task = require_options(options, "task").get("task")
        super().reset(seed=None if seed is None else require_seed("seed", seed))
        if self._keyed_by is not self.np_random:
            self._keyed_by = self.np_random
            self.episodes.reseed(np.array([first_key(self.np_random)], dtype=np.uint64))
        else:
            self.episodes.reset()
        if task is not None:
            self.episodes.set_task(task)
        return self.episodes.observation()[0], self._info()

    def step(
        self, action: np.int64
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Pull an arm.

        Raises:
            InvalidTask: there is no such arm.
            ResetNeeded: no episode is under way.
        """
        if self._keyed_by is None or self.episodes.t[0] >= self.episodes.family.horizon:
            raise ResetNeeded("no episode is under way; call reset() before step()")
        if not self.action_space.contains(action):
            raise InvalidTask(f"action must be in {self.action_space}, got {short_repr(action)}")
        reward, done = self.episodes.step(np.array([int(action)]))
        observation = self.episodes.observation()[0]
        return observation, float(reward[0]), bool(done[0]), False, self._info()

    def render(self) -> Any:
        """A line of text or an [H, W, 3] picture, by ``render_mode``; None without a mode."""
        if self.render_mode is None:
            return None
        return getattr(render, self.render_mode)(self.episodes)

    def _info(self) -> dict[str, Any]:
        """The hidden variables if they are to be revealed, else nothing."""
        if not self.reveal:
            return {}
        return {name: value[0] for name, value in self.episodes.reveal().items()}
