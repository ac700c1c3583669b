"""N running episodes of a family: the engine behind the single, vector and SB3 environments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metalocus.envs.checks import InvalidTask, require, require_count, require_seed, short_repr
from metalocus.envs.common_random_numbers import CommonRandomNumbers, Keys, episode_keys, seed_keys
from metalocus.envs.family import Array, Family, Latents
from metalocus.envs.layout import DEFAULT_PARTS, Layout

_PROGRESS = ("keys", "number", "t", "action", "reward")


class Episodes:
    """A batch of running episodes, each row at its own trial.

    Args:
        family: the task distribution.
        keys: one key for each row, [N]; see :func:`metalocus.envs.common_random_numbers.seed_keys`.
        observe: parts of the observation (:class:`Layout`).
        n_tasks: draw each episode's task from this many fixed tasks instead of the whole
            distribution; None for no limit.
        task_seed: which fixed tasks.

    Raises:
        InvalidTask: an argument is impossible, or so many episodes need too much memory.

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
        family.check_size(len(keys))
        self.family = family
        self.layout = Layout(family, observe)
        self.n_tasks = None if n_tasks is None else require_count("n_tasks", n_tasks, 1)
        task_crn = CommonRandomNumbers(seed_keys(require_seed("task_seed", task_seed), 1))
        self._task_key = task_crn.stream("tasks")  # no episode's own draw repeats a fixed task
        n = len(keys)
        self.keys = keys
        self.number = np.full(n, -1, dtype=np.int64)
        self.t = np.zeros(n, dtype=np.int64)
        self.action = np.full(n, -1, dtype=np.int64)
        self.reward = np.zeros(n)
        self.latents: Latents = {}
        self.reset()

    def __len__(self) -> int:
        return len(self.keys)

    def reseed(self, keys: Keys, rows: NDArray[np.bool_] | None = None) -> None:
        """Begin the first episode under new keys [N] in the rows of a mask [N] (all if None)."""
        rows = np.ones(len(self), dtype=bool) if rows is None else rows
        self.keys = np.where(rows, keys, self.keys)
        self.number = np.where(rows, -1, self.number)
        self.reset(rows)

    def reset(self, rows: NDArray[np.bool_] | None = None) -> None:
        """Begin the next episode in the rows of a mask [N] (all if None)."""
        where = np.flatnonzero(rows) if rows is not None else np.arange(len(self))
        if not len(where):
            return
        number = self.number.copy()
        number[where] += 1
        crn = CommonRandomNumbers(episode_keys(self.keys, number))
        fresh = self.family.begin(self._task_crn(crn.select(where)))
        if len(where) == len(self):
            self.latents = fresh
        else:
            self.latents = {name: value.copy() for name, value in self.latents.items()}
            for name, value in fresh.items():
                self.latents[name][where] = value
        self.number, self.crn = number, crn
        self.t[where], self.action[where], self.reward[where] = 0, -1, 0.0

    def set_task(self, task: Mapping[str, Any], rows: NDArray[np.bool_] | None = None) -> None:
        """Replace hidden variables by given ones in the rows of a mask [N] (all if None).

        Every value has the shape of its latent, [N, ...] or without the row axis.

        Raises:
            InvalidTask: the task names unknown latents or has impossible values.
        """
        named = isinstance(task, Mapping)
        require(named, f"task must map names of latents to values, got {short_repr(task)}")
        where = slice(None) if rows is None else rows
        given = dict(self.latents)
        for name, value in task.items():
            require(
                name in given, f"task has no {short_repr(name)}; its latents are {', '.join(given)}"
            )
            given[name] = given[name].copy()
            given[name][where] = _fitted(name, value, given[name])[where]
        self.family.check_task(given)
        self.latents = self.family.complete(given)

    def step(self, action: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Play one trial in every row: action [N] -> reward [N], done [N]."""
        reward, self.latents = self.family.step(self.latents, action, self.t, self.crn)
        self.t = self.t + 1
        self.action, self.reward = np.array(action), reward.copy()
        return reward, self.t >= self.family.horizon

    def observation(self) -> NDArray[np.float32]:
        """What the agents see before the coming trial, [N, D]."""
        return self.layout.encode(self.stimulus(), self.action, self.reward, self.t)

    def stimulus(self) -> Array:
        """What is shown before the coming trial, [N, S]."""
        return self.family.stimulus(self.latents)

    def means(self) -> Array:
        """True expected reward of every arm at the coming trial, [N, K]."""
        return self.family.means(self.latents)

    def privileged_value(self) -> Array:
        """Value of every action to a policy that is told the latents, [N, K]."""
        return self.family.privileged_value(self.latents)

    def reveal(self) -> dict[str, Array]:
        """The hidden variables and the arms' true means, each [N, ...]."""
        hidden = {**self.latents, "means": self.means()}
        return {name: value.copy() for name, value in hidden.items()}

    def state_dict(self) -> dict[str, Array]:
        """Everything needed to continue these episodes exactly, as arrays."""
        state = {name: getattr(self, name).copy() for name in _PROGRESS}
        latents = {f"latents.{name}": value.copy() for name, value in self.latents.items()}
        return {**state, **latents}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Continue from the arrays of :meth:`state_dict`."""
        for name in _PROGRESS:
            setattr(self, name, np.array(state[name]))
        self.latents = {name: np.array(state[f"latents.{name}"]) for name in self.latents}
        self.crn = CommonRandomNumbers(episode_keys(self.keys, self.number))

    def _task_crn(self, crn: CommonRandomNumbers) -> CommonRandomNumbers:
        """What the task is drawn with: the episode's own numbers, or those of a fixed task."""
        if self.n_tasks is None:
            return crn
        which = np.floor(crn.uniform("which") * self.n_tasks)
        return CommonRandomNumbers(episode_keys(self._task_key, which))


def _fitted(name: str, value: Any, latent: Array) -> Array:
    """A value that a user gives to a latent, in the latent's shape [N, ...] and type."""
    expected = f"task {name!r} must be {latent.dtype} of shape {latent.shape[1:]}"
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold is refused below
            full = np.broadcast_to(value, latent.shape)
            fitted = full.astype(latent.dtype, casting="same_kind")
    except (TypeError, ValueError):
        raise InvalidTask(f"{expected}, got {short_repr(value)}") from None
    require(
        bool(np.isfinite(fitted).all()), f"task {name!r} must be finite, got {short_repr(value)}"
    )
    return fitted
