"""N episodes of a family under way: the one engine behind every form of environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metalocus.envs.family import Array, Family, InvalidTask, Latents, require_count
from metalocus.envs.layout import DEFAULT_PARTS, Layout
from metalocus.envs.luck import Keys, Luck, episode_keys, seed_keys


class Episodes:
    """A batch of running episodes, each row at its own trial.

    Args:
        family: the task distribution.
        keys: one key for each row, [N]; see :func:`metalocus.envs.luck.seed_keys`.
        observe: parts of the observation (:class:`Layout`).
        n_tasks: draw each episode's task from this many fixed tasks instead of the whole
            distribution; None for no limit.
        task_seed: which fixed tasks.

    Attributes:
        latents: hidden variables, each [N, ...].
        t: trial about to be played, [N].
        number: how many episodes the row has begun before this one, [N].
        action, reward: of the previous trial, [N]; -1 and 0 at the first.
    """

    def __init__(
        self,
        family: Family,
        keys: Keys,
        observe: Iterable[str] = DEFAULT_PARTS,
        n_tasks: int | None = None,
        task_seed: int = 0,
    ) -> None:
        self.family = family
        self.layout = Layout(family, observe)
        self.n_tasks = None if n_tasks is None else require_count("n_tasks", n_tasks, 1)
        self._task_key = seed_keys(require_count("task_seed", task_seed, 0), 1)
        self.reseed(keys)

    def __len__(self) -> int:
        return len(self.keys)

    def reseed(self, keys: Keys) -> None:
        """Begin the first episode of every row under new keys [N]."""
        self.keys = keys
        n = len(keys)
        self.number = np.full(n, -1, dtype=np.int64)
        self.t = np.zeros(n, dtype=np.int64)
        self.action = np.full(n, -1, dtype=np.int64)
        self.reward = np.zeros(n)
        self.latents: Latents = {}
        self.reset()

    def reset(self, rows: NDArray[np.bool_] | None = None) -> None:
        """Begin the next episode in the rows of a mask [N] (all if None)."""
        where = np.flatnonzero(rows) if rows is not None else np.arange(len(self))
        number = self.number.copy()
        number[where] += 1
        luck = Luck(episode_keys(self.keys, number))
        fresh = self.family.begin(self._task_luck(luck.select(where)))
        if len(where) == len(self):
            self.latents = fresh
        else:
            self.latents = {name: value.copy() for name, value in self.latents.items()}
            for name, value in fresh.items():
                self.latents[name][where] = value
        self.number, self.luck = number, luck
        self.t[where], self.action[where], self.reward[where] = 0, -1, 0.0

    def set_task(self, task: Mapping[str, Any]) -> None:
        """Replace hidden variables by given ones, broadcast over the rows.

        Raises:
            InvalidTask: the task names unknown latents or has impossible values.
        """
        given = dict(self.latents)
        for name, value in task.items():
            if name not in given:
                raise InvalidTask(f"task has no {name!r}; its latents are {', '.join(given)}")
            was = given[name]
            try:
                given[name] = np.broadcast_to(value, was.shape).astype(was.dtype)
            except (TypeError, ValueError):
                reason = f"must have shape {was.shape[1:]}, got {value!r}"
                raise InvalidTask(f"task {name!r} {reason}") from None
        self.family.check_task(given)
        self.latents = given

    def step(self, action: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Play one trial in every row: action [N] -> reward [N], done [N]."""
        reward, self.latents = self.family.step(self.latents, action, self.t, self.luck)
        self.t = self.t + 1
        self.action, self.reward = np.array(action), reward.copy()
        return reward, self.t >= self.family.horizon

    def observation(self) -> NDArray[np.float32]:
        """What the agents see before the coming trial, [N, D]."""
        return self.layout.encode(self.stimulus(), self.action, self.reward, self.t)

    def stimulus(self) -> Array:
        """[N, S]."""
        return self.family.stimulus(self.latents)

    def means(self) -> Array:
        """True expected reward of every arm at the coming trial, [N, K]."""
        return self.family.means(self.latents)

    def reveal(self) -> dict[str, Array]:
        """The hidden variables and the arms' true means, each [N, ...]."""
        return {**self.latents, "means": self.means()}

    def state_dict(self) -> dict[str, Array]:
        """Everything needed to continue these episodes exactly, as arrays."""
        state = {name: getattr(self, name) for name in ("keys", "number", "t", "action", "reward")}
        return {**state, **{f"latents.{name}": value for name, value in self.latents.items()}}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Continue from :meth:`state_dict`."""
        for name in ("keys", "number", "t", "action", "reward"):
            setattr(self, name, np.array(state[name]))
        self.latents = {name: np.array(state[f"latents.{name}"]) for name in self.latents}
        self.luck = Luck(episode_keys(self.keys, self.number))

    def _task_luck(self, luck: Luck) -> Luck:
        """Luck that draws the task: the episode's own, or that of one of the fixed tasks."""
        if self.n_tasks is None:
            return luck
        which = np.floor(luck.uniform("which") * self.n_tasks)
        return Luck(episode_keys(self._task_key, which))
