"""Checks of arguments, each with one line that says what is wrong and how to mend it.

The checks of single arguments run often, so they write the line only where it is needed.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LARGEST_COUNT = 2**40
"""Trials that the counter of :mod:`metalocus.envs.common_random_numbers` tells apart; anything
else that is counted here is far fewer."""

MOST_ROWS = 2**20
"""Environments stepped together. Each is seeded by a generator of its own: about ten seconds."""

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80


class InvalidTask(ValueError):
    """Arguments that describe no task; one line says what is wrong and how to mend it."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def short_repr(value: Any) -> str:
    """A value as it is written in a message: its ``repr``, cut to about 80 characters."""
    try:
        return _short.repr(value.tolist() if isinstance(value, np.ndarray) else value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return f"a value of type {type(value).__name__}"


def require(condition: bool, message: str) -> None:
    """Raise :class:`InvalidTask` with ``message`` unless the condition holds."""
    if not condition:
        raise InvalidTask(message)


def require_choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """``value`` if it is one of the texts in ``choices``, else :class:`InvalidTask`."""
    if not (isinstance(value, str) and value in choices):
        raise InvalidTask(f"{name} must be one of {', '.join(choices)}, got {short_repr(value)}")
    return str(value)


def require_options(options: Any, *known: str) -> Mapping[str, Any]:
    """The options of a ``reset``, none if None, or :class:`InvalidTask` if one is not ``known``."""
    given = {} if options is None else options
    require(isinstance(given, Mapping), f"options must be a dictionary, got {short_repr(given)}")
    for name in given:
        listed = f"options has no {short_repr(name)}; choose from {', '.join(known)}"
        require(name in known, listed)
    return dict(given)


def require_flag(name: str, value: Any) -> bool:
    """``value`` as a bool if it is True or False, also NumPy's, else :class:`InvalidTask`."""
    if not isinstance(value, bool | np.bool_):
        raise InvalidTask(f"{name} must be True or False, got {short_repr(value)}")
    return bool(value)


def require_count(name: str, value: Any, least: int, most: int = LARGEST_COUNT) -> int:
    """``value`` as an int from ``least`` to ``most``, or :class:`InvalidTask`."""
    if not (_is_whole(value) and value >= least):
        expected = f"a whole number of at least {least}"
        raise InvalidTask(f"{name} must be {expected}, got {short_repr(value)}")
    if value > most:
        raise InvalidTask(f"{name} must be at most {most}, got {short_repr(value)}")
    return int(value)


def require_seed(name: str, value: Any) -> int:
    """``value`` as an int of at least 0, of any size, or :class:`InvalidTask`."""
    if not (_is_whole(value) and value >= 0):
        raise InvalidTask(f"{name} must be a whole number of at least 0, got {short_repr(value)}")
    return int(value)


def require_probability(name: str, value: Any) -> float:
    """``value`` as a float in [0, 1], or :class:`InvalidTask`."""
    number = _number(value)
    if not 0.0 <= number <= 1.0:
        raise InvalidTask(f"{name} must be a probability in [0, 1], got {short_repr(value)}")
    return number


def require_number(name: str, value: Any, least: float, above: bool = False) -> float:
    """``value`` as a finite float of at least (or ``above``) ``least``, or :class:`InvalidTask`."""
    number = _number(value)
    fits = least < number < math.inf if above else least <= number < math.inf
    if not fits:
        expected = f"a finite number {'above' if above else 'of at least'} {least:g}"
        raise InvalidTask(f"{name} must be {expected}, got {short_repr(value)}")
    return number


def require_below(name: str, value: Array, n: int) -> None:
    """Raise :class:`InvalidTask` unless all whole numbers of an array are from 0 to n - 1."""
    inside = bool(((value >= 0) & (value < n)).all())
    require(inside, f"{name} must be from 0 to {n - 1}, got {short_repr(value)}")


def require_within(name: str, value: Array, low: float, high: float) -> None:
    """Raise :class:`InvalidTask` unless all numbers of an array are from ``low`` to ``high``."""
    inside = bool(((value >= low) & (value <= high)).all())
    require(inside, f"{name} must be numbers from {low:g} to {high:g}")


def as_array(value: Any) -> Array:
    """``value`` as an array; an empty one if it is made of rows of unequal length."""
    try:
        return np.asarray(value)
    except ValueError:
        return np.empty(0)


def require_actions(actions: Any, n: int, n_arms: int) -> NDArray[np.int64]:
    """``actions`` as an array [n] of int64 below ``n_arms``, or :class:`InvalidTask`."""
    given = as_array(actions)
    fits = given.shape == (n,) and given.dtype.kind in "iu"
    if not fits or given.astype(np.uint64).max() >= n_arms:  # below 0 wraps to huge
        expected = f"{n} whole numbers from 0 to {n_arms - 1}"
        raise InvalidTask(f"actions must be {expected}, got {short_repr(actions)}")
    return given.astype(np.int64)


def _is_whole(value: Any) -> bool:
    """Whether a value is an integer, Python's or NumPy's; True and False are none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _number(value: Any) -> float:
    """A real number, Python's or NumPy's, as a float; NaN for anything else."""
    if not (_is_whole(value) or isinstance(value, float | np.floating)):
        return math.nan
    try:
        return float(value)
    except OverflowError:  # an integer beyond the largest float
        return math.inf if value > 0 else -math.inf
