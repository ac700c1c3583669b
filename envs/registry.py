"""Finding the task families, building episodes of them, announcing them to Gymnasium."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from metalocus.envs.checks import require
from metalocus.envs.common_random_numbers import Keys
from metalocus.envs.discovery import Registry, classes
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
        InvalidTask: unknown id, unknown or impossible argument.
    """
    family = FAMILIES.find(env_id)
    accepted = [*inspect.signature(family).parameters, *EPISODE_OPTIONS]
    for name in kwargs:
        message = f"{env_id} has no argument {name!r}; choose from {', '.join(accepted)}"
        require(name in accepted, message)
    return family(**kwargs)


def make_episodes(env_id: str, keys: Keys | None = None, /, **kwargs: Any) -> Episodes:
    """Episodes of an id; ``kwargs`` are the family's and those of :class:`Episodes`.

    Args:
        keys: one key an episode, [N]; a single episode of key 0 if None.

    Raises:
        InvalidTask: as :func:`make_family` and :class:`Episodes`.
    """
    options = {name: kwargs.pop(name) for name in EPISODE_OPTIONS if name in kwargs}
    keys = np.zeros(1, dtype=np.uint64) if keys is None else keys
    return Episodes(make_family(env_id, **kwargs), keys, **options)


def register() -> None:
    """Register every family with Gymnasium, once."""
    from gymnasium.envs.registration import register as announce
    from gymnasium.envs.registration import registry

    for env_id in FAMILIES:
        if env_id not in registry:
            announce(
                id=env_id,
                entry_point="metalocus.envs.single:SingleEnv",
                vector_entry_point="metalocus.envs.vector:BatchEnv",
                kwargs={"env_id": env_id},
            )
