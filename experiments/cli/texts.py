"""Texts of the command line: arguments read from them, results written as them."""

from __future__ import annotations

import ast
import json
import sys
from typing import Annotated, Any

from tyro.constructors import PrimitiveConstructorSpec

from metalocus.experiments.errors import WrongUse


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


def keywords(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Arguments of an environment, from texts ``name=value``.

    A value that is a Python literal which JSON has too is that; any other is a text.

    Raises:
        WrongUse: a text of another form, or a name that is given twice.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise WrongUse(f"--env-kwargs takes name=value, got {pair!r}")
        if name in found:
            raise WrongUse(f"--env-kwargs gives {name} more than once; give it once")
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
