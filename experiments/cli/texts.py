"""Texts of the command line: arguments read from them, results written as them."""

from __future__ import annotations

import ast
import json
import sys
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from tyro.constructors import PrimitiveConstructorSpec

from metalocus.experiments.errors import WrongUse

MOST_SEEDS = 10_000
"""Of one command; more are a slip of the pen."""


def _at_least_one(texts: list[str]) -> tuple[str, ...]:
    if not texts:
        raise ValueError("give at least one value, or leave the option out")
    return tuple(texts)


Texts = Annotated[
    tuple[str, ...],
    PrimitiveConstructorSpec(
        nargs="*",
        metavar="TEXT ...",
        instance_from_str=_at_least_one,
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=list,
    ),
]
"""The values of an option that takes one or more."""


def _steps(texts: list[str]) -> int:
    try:
        number = Decimal(texts[0])  # takes 1e6 and 2_000_000
        whole = number.is_finite() and number.adjusted() < 19 and number == int(number)
    except InvalidOperation:
        whole = False
    if not whole:
        raise ValueError(f"{texts[0]!r} is no whole number, such as 200000, 2_000_000 or 1e6")
    return int(number)


Steps = Annotated[
    int,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="INT",
        instance_from_str=_steps,
        is_instance=lambda value: isinstance(value, int),
        str_from_instance=lambda value: [str(value)],
    ),
]
"""A whole number, which may be written as ``1e6`` or ``2_000_000``."""


def seeds_of(text: str) -> list[int]:
    """Seeds from a text such as ``0-9``, ``0,3,5`` or ``0-4,8``, each once, in order.

    Raises:
        WrongUse: a text of another form, or more than ``MOST_SEEDS``.
    """
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        ends = [first, last if dash else first]
        if not all(end.isascii() and end.isdigit() and len(end) < 12 for end in ends):
            raise WrongUse(f"--seeds takes seeds such as 0-9 or 0,3,5, got {text!r}")
        low, high = map(int, ends)
        if low > high:
            raise WrongUse(f"--seeds counts upwards, got {part.strip()!r}")
        if high - low + len(found) >= MOST_SEEDS:
            raise WrongUse(f"--seeds takes at most {MOST_SEEDS} seeds, got {text!r}")
        found |= set(range(low, high + 1))
    return sorted(found)


def keywords(pairs: tuple[str, ...], option: str = "--env-kwargs") -> dict[str, Any]:
    """Arguments by name, from texts ``name=value``.

    A value that is a Python literal which JSON has too is that; any other is a text.

    Args:
        pairs: the texts.
        option: that took them, for messages.

    Raises:
        WrongUse: a text of another form, or a name that is given twice.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise WrongUse(f"{option} takes name=value, got {pair!r}")
        if name in found:
            raise WrongUse(f"{option} gives {name} more than once; give it once")
        found[name] = _value(text)
    return found


def _value(text: str) -> Any:
    """A Python literal that can be written as JSON, or the text itself."""
    try:
        value = ast.literal_eval(text)
        json.dumps(value)  # a run is kept as JSON
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
    return value


def print_json(found: Any) -> None:
    """One document on standard output."""
    json.dump(found, sys.stdout, indent=2)
    print()
