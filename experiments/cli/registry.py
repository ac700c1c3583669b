"""Every command by its name: whatever function lies in ``commands/`` is one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import ModuleType

from metalocus.envs.checks import require
from metalocus.envs.discovery import modules

PACKAGE = "metalocus.experiments.cli.commands"
FIRST = (
    *("debate", "list", "show", "train", "sweep", "status", "soak", "runs", "tensorboard"),
    *("score", "evaluate", "probe", "claim", "compare", "replicate", "survey", "calibrate"),
    *("report", "bench", "export", "import"),
)
"""In which order help shows commands; others come after them."""


def found() -> dict[str, Callable[..., None]]:
    """All commands, in the order in which help shows them.

    Raises:
        InvalidTask: two have one name.
    """
    named: dict[str, Callable[..., None]] = {}
    for module in modules(PACKAGE):
        for name, command in _of(module):
            require(name not in named, f"two commands are called {name!r}; rename one")
            named[name] = command
    place = {name: i for i, name in enumerate(FIRST)}
    return dict(sorted(named.items(), key=lambda item: (place.get(item[0], len(FIRST)), item[0])))


def _of(module: ModuleType) -> Iterator[tuple[str, Callable[..., None]]]:
    """The commands of a file: its own functions, without those that it keeps to itself."""
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ == module.__name__ and not name.startswith("_"):
            yield name.removesuffix("_"), function


COMMANDS = found()
