"""A family as a native ``gymnasium.vector.VectorEnv``: no Python loop over environments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from metalocus.envs import render
from metalocus.envs.checks import InvalidTask, require, require_count
from metalocus.envs.common_random_numbers import first_key
from metalocus.envs.registry import make_episodes
from metalocus.envs.spaces import action_space, observation_space, require_actions

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
    """

    def __init__(
        self,
        env_id: str,
        num_envs: int = 1,
        render_mode: str | None = None,
        reveal: bool = False,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        **kwargs: Any,
    ) -> None:
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        if self.autoreset_mode is AutoresetMode.DISABLED:
            raise InvalidTask("autoreset_mode must be NEXT_STEP or SAME_STEP")
        self.metadata = {
            "render_modes": ["ansi", "rgb_array"],
            "render_fps": 4,
            "autoreset_mode": self.autoreset_mode,
        }
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise InvalidTask(f"render_mode must be 'ansi' or 'rgb_array', got {render_mode!r}")
        self.num_envs = require_count("num_envs", num_envs, 1)
        self.render_mode = render_mode
        self.reveal = reveal
        self.episodes = make_episodes(env_id, np.zeros(self.num_envs, dtype=np.uint64), **kwargs)
        self.single_observation_space = observation_space(self.episodes.layout)
        self.single_action_space = action_space(self.episodes.layout)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._keyed_by: np.random.Generator | None = None
        self._done = np.zeros(self.num_envs, dtype=bool)

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
        """
        options = options or {}
        rows = self._rows(options.get("reset_mask"))
        seeds = self._row_seeds(seed)
        seeded = np.array([one is not None for one in seeds])
        self.episodes.reseed(_keys(seeds), rows & seeded)
        self.episodes.reset(rows & ~seeded)
        if options.get("task") is not None:
            self.episodes.set_task(options["task"], rows)
        self._done = self._done & ~rows
        return self.episodes.observation(), self._info(rows)

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Pull an arm in every row.

        Raises:
            InvalidTask: an action names no arm, or there is not one for each row.
            ResetNeeded: the first reset is missing.
        """
        if self._keyed_by is None:
            raise ResetNeeded("no episode is under way; call reset() before step()")
        actions = require_actions(actions, self.num_envs, self.episodes.family.n_arms)
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            return self._step_and_reset(actions)
        over = self._done
        if over.all():
            self.episodes.reset()
            reward, done = np.zeros(self.num_envs), np.zeros(self.num_envs, dtype=bool)
        else:
            self.episodes.t[over] = 0  # their step counts for nothing; no family sees t = horizon
            reward, done = self.episodes.step(actions)
            if over.any():
                self.episodes.reset(over)
                reward[over], done[over] = 0.0, False
        self._done = done.copy()
        return self.episodes.observation(), reward, done, np.zeros_like(done), self._info()

    def _step_and_reset(self, actions: NDArray[np.int64]) -> Step:
        reward, done = self.episodes.step(actions)
        info: dict[str, Any] = {}
        if done.any():
            final = np.full(self.num_envs, None, dtype=object)
            observation = self.episodes.observation()
            for row in np.flatnonzero(done):
                final[row] = observation[row]
            info = {"final_obs": final, "_final_obs": done.copy()}
            info |= {"final_info": self._info(done), "_final_info": done.copy()}
            self.episodes.reset(done)
        info = self._info() | info
        return self.episodes.observation(), reward, done, np.zeros_like(done), info

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
        rows = np.asarray(mask)
        fits = rows.shape == (self.num_envs,) and rows.dtype == bool and bool(rows.any())
        require(fits, f"reset_mask must be {self.num_envs} booleans, one of them True")
        return rows

    def _row_seeds(self, seed: int | Sequence[int | None] | None) -> Sequence[int | None]:
        """A seed for every row; None where the row goes on with its next episode."""
        if isinstance(seed, Sequence):
            require(len(seed) == self.num_envs, f"seed must be {self.num_envs} seeds, one a row")
            seeds = seed
        else:
            super().reset(seed=seed)
            seeds = [None if seed is None else seed + i for i in range(self.num_envs)]
        if self._keyed_by is not self.np_random:
            self._keyed_by = self.np_random
            first = int(self.np_random.integers(2**31))
            seeds = [first + i if one is None else one for i, one in enumerate(seeds)]
        return seeds

    def _info(self, rows: NDArray[np.bool_] | None = None) -> dict[str, Any]:
        """Hidden variables, each with the mask of the rows it stands for (all if None)."""
        if not self.reveal:
            return {}
        mask = np.ones(self.num_envs, dtype=bool) if rows is None else rows
        hidden: dict[str, Any] = dict(self.episodes.reveal())
        return hidden | {f"_{name}": mask.copy() for name in hidden}


def _keys(seeds: Sequence[int | None]) -> NDArray[np.uint64]:
    """One key a seed, 0 where there is none, [N]."""
    rngs = [None if seed is None else np.random.default_rng(seed) for seed in seeds]
    return np.array([0 if rng is None else first_key(rng) for rng in rngs], dtype=np.uint64)
