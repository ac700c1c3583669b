"""Settings of the engine: checked whenever they are assigned, and held in one place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from inspect import Parameter, signature
from itertools import chain
from typing import Any

import numpy as np
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.common.utils import FloatSchedule

from metalocus.agents.ppo.schedules import PowerDecay
from metalocus.envs.checks import (
    InvalidTask,
    require,
    require_count,
    require_flag,
    require_number,
    short_repr,
)
from metalocus.envs.discovery import unknown

LINE = "lin_"
"""Begins the text of a schedule that falls to 0 on a line."""
Check = Callable[[str, Any], Any]
"""Given a setting's name and the value assigned, returns what is kept or raises InvalidTask."""
_TYPES: dict[type, tuple[Any, str]] = {
    bool: (bool, "True or False"),
    int: (int, "a whole number"),
    float: (int | float, "a number"),
    str: (str, "a text"),
}
"""By the type of a default: the types that may be given in its place, and what they are called."""


class CheckedSchedule(FloatSchedule):
    """A schedule whose every number is checked.

    Args:
        name: of the setting, for messages.
        value: a number, for a constant, or a function of the fraction of training that remains.
        check: of each number.
    """

    def __init__(self, name: str, value: float | Schedule, check: Check) -> None:
        super().__init__(value if callable(value) else check(name, value))
        self.name, self.check = name, check

    def __call__(self, progress_remaining: float) -> float:
        """The number when so much of training remains."""
        return float(self.check(self.name, super().__call__(progress_remaining)))


class _Checked:
    """An attribute of a model; a check returns what is kept of the value that is assigned."""

    def __init__(self, check: Check) -> None:
        self.check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, model: object, owner: type | None = None) -> Any:
        if model is None:
            return self
        if self.name not in vars(model):
            raise AttributeError(f"{type(model).__name__} has no {self.name} yet")
        return vars(model)[self.name]

    def __set__(self, model: object, value: Any) -> None:
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value.item()
        vars(model)[self.name] = self.check(self.name.lstrip("_"), value)


class _Scheduled:
    """A setting that is assigned a number or a schedule and reads as its present number.

    The schedule, its one source, is the attribute ``schedule``.
    """

    def __init__(self, schedule: str) -> None:
        self.schedule = schedule

    def __get__(self, model: Any, owner: type | None = None) -> Any:
        if model is None:
            return self
        return getattr(model, self.schedule)(model._current_progress_remaining)

    def __set__(self, model: object, value: Any) -> None:
        setattr(model, self.schedule, value)


def checked(check: Check) -> Any:
    """An attribute with a check; typed so that it may stand for an attribute of SB3's."""
    return _Checked(check)


def scheduled(schedule: str) -> Any:
    """The present number of the schedule in another attribute."""
    return _Scheduled(schedule)


def number(least: float = 0.0, most: float = math.inf) -> Check:
    """A finite number from ``least`` to ``most``."""
    return partial(_require_between, least=least, most=most)


def _require_between(name: str, value: Any, least: float, most: float) -> float:
    given = require_number(name, value, least)
    require(given <= most, f"{name} must be at most {most:g}, got {value!r}")
    return given


def count(least: int, most: int = 2**63 - 1) -> Check:
    """A whole number from ``least`` to ``most``."""
    return lambda name, value: require_count(name, value, least, most)


def schedule(label: str, least: float = 0.0, most: float = math.inf) -> Check:
    """A number from ``least`` to ``most``, or a function of the training that remains.

    The text ``lin_3e-4`` is a line from .0003 to 0, as RL Zoo has it.
    """

    def check(_: str, value: Any) -> CheckedSchedule:
        inner = value.value_schedule if isinstance(value, FloatSchedule) else value
        if isinstance(value, str) and value.startswith(LINE):
            inner = PowerDecay(_number_in(label, value), 1.0)
        return CheckedSchedule(label, inner, number(least, most))

    return check


def _number_in(label: str, line: str) -> float:
    """Where a line of :func:`schedule` begins."""
    try:
        first = float(line.removeprefix(LINE))
    except ValueError:
        raise InvalidTask(f"{label} must be a number or {LINE}NUMBER, got {line!r}") from None
    return require_number(label, first, 0.0)


def optional(check: Check) -> Check:
    """None, or what another check takes."""
    return lambda name, value: None if value is None else check(name, value)


def flag(name: str, value: Any) -> bool:
    """True or False."""
    return require_flag(name, value)


def mapping(name: str, value: Any) -> dict[str, Any]:
    """Keyword arguments, as :func:`plain` values; None for none."""
    require(value is None or isinstance(value, Mapping), f"{name} must be a dict, got {value!r}")
    found: dict[str, Any] = plain(value or {})
    return found


def plain(value: Any) -> Any:
    """A value with NumPy's numbers as Python's, and arrays and tuples as lists: as JSON's are."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def defaults_of(made: type) -> dict[str, Any]:
    """The arguments of a constructor that have a default, by name, in its order."""
    return {name: plain(default) for name, default in _raw_defaults(made).items()}


@cache
def _raw_defaults(made: type) -> dict[str, Any]:
    """As the constructor has them; not to be changed."""
    parameters = signature(made).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not Parameter.empty}


def require_known(kind: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise :class:`InvalidTask`, with the nearest name, if an argument is not known.

    Args:
        kind: of argument, for the message.
        given: names.
        known: names.
    """
    known = list(known)
    for name in given:
        if name not in known:
            raise InvalidTask(unknown(kind, name, known))


def require_alike(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Raise :class:`InvalidTask` if an argument is of another type than its default.

    A whole number may stand for any number; what is None or a list by default is not checked.
    """
    for name, value in given.items():
        default = defaults[name]
        for kind, (types, said) in _TYPES.items():
            fits = isinstance(value, types) and isinstance(value, bool) == (kind is bool)
            if type(default) is kind and not fits:
                raise InvalidTask(f"{name} must be {said}, got {short_repr(value)}")


def require_sizes(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Raise :class:`InvalidTask` if a size of an agent's network is below 1.

    Sizes are the whole numbers that are 0 or more by default, and those of ``net_arch``. What is 0
    by default may be 0.
    """
    for name, value in given.items():
        if type(defaults[name]) is int and defaults[name] >= 0:
            require_count(name, value, min(1, defaults[name]))
    heads = given.get("net_arch")
    by_head = heads if isinstance(heads, dict) else {"pi": heads, "vf": heads}
    layers = [each for each in by_head.values() if each is not None]
    form = "net_arch must be a list of sizes such as [64,64], or {'pi': [64], 'vf': [64]}"
    fits = by_head.keys() <= {"pi", "vf"} and all(isinstance(each, list) for each in layers)
    require(fits, f"{form}, got {short_repr(heads)}")
    for size in chain.from_iterable(layers):
        require_count("every size in net_arch", size, 1)
