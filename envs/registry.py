"""The task families by id: making one, making episodes of it, registering all with Gymnasium."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from inspect import signature
from types import ModuleType
from typing import Any

import gymnasium as gym
import numpy as np

from metalocus.envs.checks import InvalidTask
from metalocus.envs.common_random_numbers import Keys
from metalocus.envs.discovery import Registry, classes, suggestion
from metalocus.envs.episodes import Episodes
from metalocus.envs.family import Family

NAMESPACE = "metalocus"
EPISODE_OPTIONS = ("observe", "n_tasks", "task_seed")


def _by_id(module: ModuleType) -> Iterator[tuple[str, type[Family]]]:
    """The families that a module defines, by full id."""
    for name, family in classes(Family)(module):  # type: ignore[type-abstract]
        yield f"{NAMESPACE}/{name}", family


FAMILIES = Registry("environment", "metalocus.envs.families", _by_id)
"""Every family in ``envs/families``, by full id such as ``metalocus/BernoulliBandit-v0``."""


def make_family(env_id: str, /, **kwargs: Any) -> Family:
    """The family of an id with its own keyword arguments.

    Raises:
        InvalidTask: unknown id, unknown or impossible argument, or a task too large to play.
    """
    cls = FAMILIES.find(env_id)
    _require_known(env_id, kwargs, _arguments(cls))
    family = cls(**kwargs)
    family.check_size(1)
    return family


def make_episodes(env_id: str, keys: Keys | None = None, /, **kwargs: Any) -> Episodes:
    """Episodes of an id; ``kwargs`` are the family's and those of :class:`Episodes`.

    Args:
        env_id: full id.
        keys: one key an episode, [N]; a single episode of key 0 if None.
        **kwargs: the family's arguments and ``observe``, ``n_tasks``, ``task_seed``.

    Raises:
        InvalidTask: as :func:`make_family` and :class:`Episodes`.
    """
    own = _arguments(FAMILIES.find(env_id))
    _require_known(env_id, kwargs, [*own, *EPISODE_OPTIONS])
    options = {name: kwargs.pop(name) for name in EPISODE_OPTIONS if name in kwargs}
    keys = np.zeros(1, dtype=np.uint64) if keys is None else keys
    return Episodes(make_family(env_id, **kwargs), keys, **options)


@lru_cache
def _arguments(family: type[Family]) -> tuple[str, ...]:
    """The names of a family's arguments; kept, since families are made often."""
    return tuple(signature(family).parameters)


def _require_known(env_id: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raise :class:`InvalidTask` if a name is not among the arguments of an environment."""
    for name in names:
        if name not in known:
            raise InvalidTask(f"{env_id} has no argument {name!r}{suggestion(name, known)}")


def register() -> None:
    """Register every family with Gymnasium; those that are registered stay as they are.

    Installed plugins are not looked for: they may be what imports this.
    """
    for env_id in FAMILIES.entered:
        if env_id not in gym.registry:
            gym.register(
                id=env_id,
                entry_point="metalocus.envs.single:SingleEnv",
                vector_entry_point="metalocus.envs.vector:BatchEnv",
                kwargs={"env_id": env_id},
            )
