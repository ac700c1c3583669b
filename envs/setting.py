"""An environment with its arguments: what agents are trained and measured on."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

import numpy as np

from metalocus.envs.checks import InvalidTask, short_repr
from metalocus.envs.common_random_numbers import Keys
from metalocus.envs.episodes import Episodes
from metalocus.envs.family import Family
from metalocus.envs.layout import Layout
from metalocus.envs.registry import EPISODE_OPTIONS, make_episodes, make_family

FIXED_TASKS = ("n_tasks", "task_seed")
LARGEST_BITS = 4096
"""Of a whole number, to be sure that Python writes it: it refuses to beyond 4,300 digits."""


class Setting:
    """An environment id and its arguments; equal if both are.

    NumPy numbers and arrays, and tuples, are kept as the Python numbers and lists that JSON
    makes of them, so a setting equals what is read back from its JSON.

    Args:
        env: full id, e.g. ``metalocus/BernoulliBandit-v0``.
        **kwargs: arguments of the environment, of types that JSON has.

    Raises:
        InvalidTask: an argument has no form in JSON; and when the setting is used, if there is
            no such environment or argument.
    """

    def __init__(self, env: str, /, **kwargs: Any) -> None:
        self.env = env
        self.kwargs = {name: _plain(name, value) for name, value in kwargs.items()}

    @property
    def family(self) -> Family:
        """The task family alone."""
        own = {key: value for key, value in self.kwargs.items() if key not in EPISODE_OPTIONS}
        return make_family(self.env, **own)

    @cached_property
    def layout(self) -> Layout:
        """Where each part of an observation stands."""
        return self.episodes().layout

    def episodes(self, keys: Keys | None = None) -> Episodes:
        """Episodes of the keys [N]; one of key 0 if None."""
        return make_episodes(self.env, keys, **self.kwargs)

    def whole(self) -> Setting:
        """The same setting without the limit to a number of fixed tasks."""
        kept = {key: value for key, value in self.kwargs.items() if key not in FIXED_TASKS}
        return Setting(self.env, **kept)

    def to_dict(self) -> dict[str, Any]:
        """``env`` and ``env_kwargs``, ready for JSON."""
        return {"env": self.env, "env_kwargs": dict(self.kwargs)}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Setting) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __str__(self) -> str:
        """The id, then the arguments as on the command line."""
        return " ".join([self.env, *(f"{name}={value}" for name, value in self.kwargs.items())])

    def __repr__(self) -> str:
        arguments = [repr(self.env), *(f"{name}={value!r}" for name, value in self.kwargs.items())]
        return f"{type(self).__name__}({', '.join(arguments)})"

    def _key(self) -> str:
        """What is compared: all of it as text, in which 1, 1.0 and True differ."""
        return json.dumps([self.env, self.kwargs], sort_keys=True)


def _plain(name: str, value: Any) -> Any:
    """A value as Python objects that JSON gives back equal."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(name, each) for each in value]
    written = not isinstance(value, int) or value.bit_length() <= LARGEST_BITS
    if value is None or (isinstance(value, bool | int | float | str) and written):
        return value
    raise InvalidTask(
        f"{name} must be a number, a text, a flag, None or a list of them, got {short_repr(value)}"
    )
