"""Checks of arguments, each with one line that says what is wrong and how to mend it."""

from __future__ import annotations

import math
import reprlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class InvalidTask(ValueError):
    """Arguments that describe no task; one line says what is wrong and how to mend it."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def require(condition: bool, message: str) -> None:
    """Raise :class:`InvalidTask` with ``message`` unless the condition holds."""
    if not condition:
        raise InvalidTask(message)


def require_probability(name: str, value: Any) -> float:
    """``value`` as a float in [0, 1], or :class:`InvalidTask`."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InvalidTask(f"{name} must be a probability in [0, 1], got {value!r}") from None
    require(0.0 <= number <= 1.0, f"{name} must be a probability in [0, 1], got {value!r}")
    return number


def require_flag(name: str, value: Any) -> bool:
    """``value`` if it is True or False, else :class:`InvalidTask`."""
    require(isinstance(value, bool), f"{name} must be True or False, got {value!r}")
    return bool(value)


def require_count(name: str, value: Any, least: int) -> int:
    """``value`` as an int of at least ``least``, or :class:`InvalidTask`."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    require(
        whole and int(value) >= least,
        f"{name} must be a whole number of at least {least}, got {value!r}",
    )
    return int(value)


def require_below(name: str, value: Array, n: int) -> None:
    """Raise :class:`InvalidTask` unless all whole numbers of an array are from 0 to n - 1."""
    inside = bool(((value >= 0) & (value < n)).all())
    require(inside, f"{name} must be from 0 to {n - 1}, got {reprlib.repr(value.tolist())}")


def require_number(name: str, value: Any, least: float, above: bool = False) -> float:
    """``value`` as a finite float of at least ``least`` (above it if ``above``), or
    :class:`InvalidTask`."""
    expected = f"{name} must be a finite number {'above' if above else 'of at least'} {least:g}"
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InvalidTask(f"{expected}, got {value!r}") from None
    fits = least < number < math.inf if above else least <= number < math.inf
    require(fits, f"{expected}, got {value!r}")
    return number
