"""A family as a native ``gymnasium.vector.VectorEnv``: no Python loop over environments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from metalocus.envs import render
from metalocus.envs.family import InvalidTask, require_count
from metalocus.envs.luck import first_key, seed_keys
from metalocus.envs.registry import make_episodes
from metalocus.envs.spaces import action_space, observation_space

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
        """Begin the next episode in every row, or in those of ``options["reset_mask"]``.

        A seed s seeds row i with s + i; a sequence seeds the rows one by one.
        """
        options = options or {}
        mask = options.get("reset_mask")
        if isinstance(seed, Sequence):
            rngs = [np.random.default_rng(one) for one in seed]
            self.np_random = rngs[0]
            self._begin(np.array([first_key(rng) for rng in rngs], dtype=np.uint64))
        else:
            super().reset(seed=seed)
            if seed is not None:
                self._begin(seed_keys(seed, self.num_envs))
            elif self._keyed_by is not self.np_random:
                self._begin(seed_keys(int(self.np_random.integers(2**31)), self.num_envs))
            else:
                self.episodes.reset(None if mask is None else np.asarray(mask, dtype=bool))
        if "task" in options:
            self.episodes.set_task(options["task"])
        self._done = np.zeros(self.num_envs, bool) if mask is None else self._done & ~mask
        return self.episodes.observation(), self._info()

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Pull an arm in every row."""
        actions = self._checked(actions)
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            return self._step_and_reset(actions)
        over = self._done
        if over.all():
            self.episodes.reset()
            reward, done = np.zeros(self.num_envs), np.zeros(self.num_envs, dtype=bool)
        else:
            reward, done = self.episodes.step(actions)
            if over.any():
                self.episodes.reset(over)
                reward[over], done[over] = 0.0, False
        self._done = done
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
            info |= {"final_info": self._info(), "_final_info": done.copy()}
            self.episodes.reset(done)
        info = self._info() | info
        return self.episodes.observation(), reward, done, np.zeros_like(done), info

    def render(self) -> Any:
        """A tuple of one frame a row, by ``render_mode``; None without a mode."""
        if self.render_mode is None:
            return None
        draw = getattr(render, self.render_mode)
        return tuple(draw(self.episodes, row) for row in range(self.num_envs))

    def _begin(self, keys: NDArray[np.uint64]) -> None:
        self._keyed_by = self.np_random
        self.episodes.reseed(keys)

    def _checked(self, actions: NDArray[np.int64]) -> NDArray[np.int64]:
        actions = np.asarray(actions)
        n_arms = self.episodes.family.n_arms
        whole = actions.shape == (self.num_envs,) and actions.dtype.kind in "iu"
        if not whole or actions.min() < 0 or actions.max() >= n_arms:
            expected = f"{self.num_envs} whole numbers from 0 to {n_arms - 1}"
            raise InvalidTask(f"actions must be {expected}, got {actions!r}")
        return actions

    def _info(self) -> dict[str, Any]:
        if not self.reveal:
            return {}
        info: dict[str, Any] = dict(self.episodes.reveal())
        return info | {f"_{name}": np.ones(self.num_envs, dtype=bool) for name in info}
