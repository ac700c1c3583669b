"""Texts of the command line: arguments read from them, results written as them."""

from __future__ import annotations

import ast
import json
import sys
from typing import Any

from metalocus.experiments.errors import WrongUse


def keywords(pairs: tuple[str, ...]) -> dict[str, Any]:
    """name=value texts as arguments; a value that is no Python literal of JSON is a text."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise WrongUse(f"--env-kwargs takes name=value, got {pair!r}")
        try:
            found[name] = ast.literal_eval(text)
            json.dumps(found[name])  # a run is kept as JSON
        except (ValueError, SyntaxError, TypeError):
            found[name] = text
    return found


def print_json(found: Any) -> None:
    """One document on standard output."""
    json.dump(found, sys.stdout, indent=2)
    print()
