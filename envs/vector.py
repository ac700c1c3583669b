"""A family as a native ``gymnasium.vector.VectorEnv``: no Python loop over environments.

Gymnasium has two conventions for a row whose episode is over. Under ``NEXT_STEP`` the row's next
step ignores its action and begins the next episode; under ``SAME_STEP`` the last step of an
episode begins the next one. Each has a function below; :class:`BatchEnv` is what they share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from metalocus.envs import render
from metalocus.envs.checks import (
    MOST_ROWS,
    as_array,
    require,
    require_actions,
    require_count,
    require_flag,
    require_options,
    require_seed,
    short_repr,
)
from metalocus.envs.common_random_numbers import first_key
from metalocus.envs.layout import action_space, observation_space
from metalocus.envs.registry import make_episodes

Step = tuple[
    NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
]


class BatchEnv(VectorEnv[NDArray[np.float32], NDArray[np.int64], NDArray[Any]]):
    """``num_envs`` episodes at once; row i equals the single environment of seed + i.

    Args:
        env_id: which family, set by the registration.
        num_envs: rows N.
        autoreset_mode: ``NEXT_STEP`` (Gymnasium's default) or ``SAME_STEP``, under which
            ``info`` holds ``final_obs`` and ``final_info``.
        render_mode, reveal, **kwargs: as for :class:`metalocus.envs.single.SingleEnv`.

    Attributes:
        over: rows whose episode is over and that wait for their next step to begin another
            one, [N]; none under ``SAME_STEP``.

    Raises:
        InvalidTask: as for :class:`metalocus.envs.single.SingleEnv`.
    """

    def __init__(
        self,
        /,
        env_id: str,
        num_envs: int = 1,
        render_mode: str | None = None,
        reveal: bool = False,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        **kwargs: Any,
    ) -> None:
        modes = {key: mode for mode in STEPS for key in (mode, mode.value)}
        known = isinstance(autoreset_mode, AutoresetMode | str) and autoreset_mode in modes
        wrong = f"autoreset_mode must be NEXT_STEP or SAME_STEP, got {short_repr(autoreset_mode)}"
        require(known, wrong)
        self.autoreset_mode = modes[autoreset_mode]
        self.metadata = {
            "render_modes": list(render.MODES),
            "render_fps": 4,
            "autoreset_mode": self.autoreset_mode,
        }
        self.num_envs = require_count("num_envs", num_envs, 1, MOST_ROWS)
        self.render_mode = render.require_mode(render_mode)
        self.reveal = require_flag("reveal", reveal)
        self.episodes = make_episodes(env_id, np.zeros(self.num_envs, dtype=np.uint64), **kwargs)
        self.single_observation_space = observation_space(self.episodes.layout)
        self.single_action_space = action_space(self.episodes.layout)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._keyed_by: np.random.Generator | None = None
        self.over = np.zeros(self.num_envs, dtype=bool)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin the next episode in every row, or in those of ``options["reset_mask"]`` [N].

        A seed s seeds row i with s + i; a sequence seeds the rows one by one, and a row of
        seed None goes on with its next episode. ``options["task"]`` is played by the rows
        that are reset.

        Raises:
            InvalidTask: an impossible seed, option, mask or task.
        """
        given = require_options(options, "task", "reset_mask")
        rows = self._rows(given.get("reset_mask"))
        seeds = self._row_seeds(seed)
        seeded = np.array([one is not None for one in seeds])
        self.episodes.reseed(_keys(seeds), rows & seeded)
        self.episodes.reset(rows & ~seeded)
        if given.get("task") is not None:
            self.episodes.set_task(given["task"], rows)
        self.over = self.over & ~rows
        return self.episodes.observation(), self.info(rows)

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Pull an arm in every row.

        Raises:
            InvalidTask: an action names no arm, or there is not one for each row.
            ResetNeeded: the first reset is missing.
        """
        if self._keyed_by is None:
            raise ResetNeeded("no episode is under way; call reset() before step()")
        actions = require_actions(actions, self.num_envs, self.episodes.family.n_arms)
        reward, done, info = STEPS[self.autoreset_mode](self, actions)
        return self.episodes.observation(), reward, done, np.zeros_like(done), info

    def info(self, rows: NDArray[np.bool_] | None = None) -> dict[str, Any]:
        """Hidden variables if they are revealed, and the mask of the rows meant (all if None)."""
        if not self.reveal:
            return {}
        mask = np.ones(self.num_envs, dtype=bool) if rows is None else rows
        hidden: dict[str, Any] = dict(self.episodes.reveal())
        return hidden | {f"_{name}": mask.copy() for name in hidden}

    def render(self) -> Any:
        """A tuple of one frame a row, by ``render_mode``; None without a mode."""
        if self.render_mode is None:
            return None
        draw = getattr(render, self.render_mode)
        return tuple(draw(self.episodes, row) for row in range(self.num_envs))

    def _rows(self, mask: Any) -> NDArray[np.bool_]:
        """The rows to reset, [N]."""
        if mask is None:
            return np.ones(self.num_envs, dtype=bool)
        require(self._keyed_by is not None, "reset every row once before using reset_mask")
        rows = as_array(mask)
        fits = rows.shape == (self.num_envs,) and rows.dtype == bool and bool(rows.any())
        require(fits, f"reset_mask must be {self.num_envs} booleans, one of them True")
        return rows

    def _row_seeds(self, seed: Any) -> Sequence[int | None]:
        """A seed for every row; None where the row goes on with its next episode."""
        listed = isinstance(seed, Sequence) and not isinstance(seed, str)
        if listed or (isinstance(seed, np.ndarray) and seed.ndim):
            require(len(seed) == self.num_envs, f"seed must be {self.num_envs} seeds, one a row")
            seeds = [None if one is None else require_seed("seed", one) for one in seed]
        else:
            first = None if seed is None else require_seed("seed", seed)
            super().reset(seed=first)
            seeds = [None if first is None else first + i for i in range(self.num_envs)]
        if self._keyed_by is not self.np_random:
            self._keyed_by = self.np_random
            first = int(self.np_random.integers(2**31))
            seeds = [first + i if one is None else one for i, one in enumerate(seeds)]
        return seeds


def next_step(env: BatchEnv, actions: NDArray[np.int64]) -> tuple[Any, Any, dict[str, Any]]:
    """A step under ``NEXT_STEP``: reward [N], done [N] and info.

    The rows that are over begin an episode: reward 0, not done, whatever their action.
    """
    episodes, over = env.episodes, env.over
    if over.all():
        episodes.reset()
        reward, done = np.zeros(env.num_envs), np.zeros(env.num_envs, dtype=bool)
    else:
        episodes.t[over] = 0  # the step of these rows is discarded; no family sees t = horizon
        reward, done = episodes.step(actions)
        if over.any():
            episodes.reset(over)
            reward[over], done[over] = 0.0, False
    env.over = done.copy()
    return reward, done, env.info()


def same_step(env: BatchEnv, actions: NDArray[np.int64]) -> tuple[Any, Any, dict[str, Any]]:
    """A step under ``SAME_STEP``: reward [N], done [N] and info.

    The rows that are done begin an episode; what they showed last is kept in ``info``.
    """
    reward, done = env.episodes.step(actions)
    last: dict[str, Any] = {}
    if done.any():
        final = np.full(env.num_envs, None, dtype=object)
        observation = env.episodes.observation()
        for row in np.flatnonzero(done):
            final[row] = observation[row]
        last = {"final_obs": final, "_final_obs": done.copy()}
        last |= {"final_info": env.info(done), "_final_info": done.copy()}
        env.episodes.reset(done)
    return reward, done, env.info() | last


STEPS = {AutoresetMode.NEXT_STEP: next_step, AutoresetMode.SAME_STEP: same_step}


def _keys(seeds: Sequence[int | None]) -> NDArray[np.uint64]:
    """One key a seed, 0 where there is none, [N]."""
    rngs = [None if seed is None else np.random.default_rng(seed) for seed in seeds]
    return np.array([0 if rng is None else first_key(rng) for rng in rngs], dtype=np.uint64)
