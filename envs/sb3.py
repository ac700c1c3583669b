"""A family as a Stable-Baselines3 ``VecEnv``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv

from metalocus.envs import render
from metalocus.envs.checks import (
    MOST_ROWS,
    require,
    require_actions,
    require_count,
    require_flag,
    require_options,
    require_seed,
)
from metalocus.envs.common_random_numbers import seed_keys
from metalocus.envs.layout import action_space, observation_space
from metalocus.envs.setting import Setting


class BatchVecEnv(VecEnv):
    """``num_envs`` episodes at once under SB3's conventions (same-step autoreset).

    Episode returns are reported in ``info["episode"]`` as SB3's ``Monitor`` would, so no
    wrapper is needed. Row i equals the single environment of seed + i.

    Args:
        env_id: full id, e.g. ``metalocus/BernoulliBandit-v0``.
        num_envs: rows N.
        seed: of row 0; drawn if None.
        render_mode: None or ``rgb_array`` (SB3 shows no text).
        reveal, **kwargs: as for :class:`metalocus.envs.single.SingleEnv`.

    ``set_options({"task": {...}})`` plays a given task after the next reset.

    Attributes:
        setting: the environment and its arguments.
        episodes: the running episodes.
        layout: where each part of an observation stands.

    Raises:
        InvalidTask: as for :class:`metalocus.envs.single.SingleEnv`.
    """

    def __init__(
        self,
        /,
        env_id: str,
        num_envs: int = 1,
        seed: int | None = None,
        render_mode: str | None = None,
        reveal: bool = False,
        **kwargs: Any,
    ) -> None:
        n = require_count("num_envs", num_envs, 1, MOST_ROWS)
        self.render_mode = render.require_mode(render_mode, ("rgb_array",))
        self.reveal = require_flag("reveal", reveal)
        first = _drawn(seed)
        self.setting = Setting(env_id, **kwargs)
        self.episodes = self.setting.episodes(np.zeros(n, dtype=np.uint64))
        self.episodes.reseed(seed_keys(first, n))  # only now, when it is known that they fit
        self.layout = self.episodes.layout
        self._returns = np.zeros(n)
        self._started = time.time()
        super().__init__(n, observation_space(self.layout), action_space(self.layout))
        self.seed(first)

    @property
    def metalocus_horizon(self) -> int:
        """Trials in an episode, under a name that no foreign environment has."""
        return self.episodes.family.horizon

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed row i with seed + i at the next reset."""
        first = _drawn(seed)
        self._seeds = [first + i for i in range(self.num_envs)]
        return self._seeds

    def reset(self) -> NDArray[np.float32]:
        """Begin the next episode in every row, [N, D].

        Raises:
            InvalidTask: an impossible option or task.
        """
        n = len(self._options)
        require(n == self.num_envs, f"options must be {self.num_envs} dictionaries, got {n}")
        tasks = [require_options(options, "task").get("task") for options in self._options]
        if self._seeds[0] is not None:
            self.episodes.reseed(seed_keys(self._seeds[0], self.num_envs))
        else:
            self.episodes.reset()
        for row, task in enumerate(tasks):
            if task is not None:
                self.episodes.set_task(task, np.arange(self.num_envs) == row)
        self._returns = np.zeros(self.num_envs)
        self.reset_infos = self._reveal()
        self._reset_seeds()
        self._reset_options()
        return self.episodes.observation()

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Keep the actions for :meth:`step_wait`; :class:`InvalidTask` if one names no arm."""
        self._actions = require_actions(actions, self.num_envs, self.episodes.family.n_arms)

    def step_wait(
        self,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Pull an arm in every row; finished episodes begin anew at once."""
        reward, done = self.episodes.step(self._actions)
        self._returns += reward
        infos = self._reveal()
        observation = self.episodes.observation()
        if done.any():
            elapsed = round(time.time() - self._started, 6)
            rows = np.flatnonzero(done).tolist()
            returns, lengths = self._returns[done].tolist(), self.episodes.t[done].tolist()
            for row, total, length in zip(rows, returns, lengths, strict=True):
                info = infos[row]
                info["terminal_observation"] = observation[row]
                info["episode"] = {"r": total, "l": length, "t": elapsed}
                info["TimeLimit.truncated"] = False
            self._returns[done] = 0.0
            self.episodes.reset(done)
            observation = self.episodes.observation()
            if self.reveal:
                fresh = self._reveal()
                for row in rows:
                    self.reset_infos[row] = fresh[row]
        return observation, reward.astype(np.float32), done, infos

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Everything needed to continue these episodes exactly."""
        return {"returns": self._returns.copy(), **self.episodes.state_dict()}

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from :meth:`state_dict`; a seed that waits for a reset is forgotten."""
        self._reset_seeds()
        self._returns = np.array(state["returns"])
        self.episodes.load_state_dict(state)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """One picture a row."""
        return [render.rgb_array(self.episodes, row) for row in range(self.num_envs)]

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The shared attribute, once for each index."""
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set the attribute; rows share one core, so it is set for all of them."""
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of the shared core once for each index."""
        method = getattr(self, method_name)
        return [method(*method_args, **method_kwargs) for _ in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        """True for ``Monitor``, whose work this class does itself."""
        return [wrapper_class is Monitor for _ in self._get_indices(indices)]

    def _get_indices(self, indices: int | Iterable[int] | None) -> Iterable[int]:
        return super()._get_indices(indices)

    def _reveal(self) -> list[dict[str, Any]]:
        """An info for each row: its hidden variables if they are to be revealed."""
        if not self.reveal:
            return [{} for _ in range(self.num_envs)]
        hidden = self.episodes.reveal()
        return [{name: value[i] for name, value in hidden.items()} for i in range(self.num_envs)]


def _drawn(seed: int | None) -> int:
    """The seed, or one drawn from the operating system's entropy if None."""
    if seed is None:
        return int(np.random.default_rng().integers(2**31))
    return require_seed("seed", seed)
