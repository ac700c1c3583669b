"""Finding every agent that needs no training, by folder."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache

from metalocus.agents.agent import NamedAgent
from metalocus.envs import Family, InvalidTask

FOLDERS = ("references", "online", "controls")


@cache
def catalogue(folder: str) -> dict[str, type[NamedAgent]]:
    """Agents defined in the modules of one folder, by name in alphabetical order."""
    package = importlib.import_module(f"metalocus.agents.{folder}")
    found = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for _, cls in inspect.getmembers(module, inspect.isclass):
            own = cls.__module__ == module.__name__ and "name" in vars(cls)
            if own and issubclass(cls, NamedAgent):
                found[cls.name] = cls
    return dict(sorted(found.items()))


def make_named(name: str, family: Family) -> NamedAgent:
    """The untrained agent of a name, for a family.

    Raises:
        InvalidTask: unknown name, or the agent cannot play this family.
    """
    known = {key: cls for folder in FOLDERS for key, cls in catalogue(folder).items()}
    if name not in known:
        raise InvalidTask(f"unknown policy {name!r}; choose from {', '.join(known)}")
    return known[name](family)
