"""Finding what lies in a folder: whatever has a module there exists."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import TypeVar

Named = TypeVar("Named")


def modules(package: str) -> Iterator[ModuleType]:
    """Every module in a package's folder, in alphabetical order."""
    folder = importlib.import_module(package)
    for info in pkgutil.walk_packages(folder.__path__, f"{package}."):
        yield importlib.import_module(info.name)


def named(package: str, base: type[Named]) -> dict[str, type[Named]]:
    """The subclasses of ``base`` that are defined there with a ``name``, in order of it."""
    found = {}
    for module in modules(package):
        for _, cls in inspect.getmembers(module, inspect.isclass):
            own = cls.__module__ == module.__name__ and "name" in vars(cls)
            if own and issubclass(cls, base):
                found[str(vars(cls)["name"])] = cls
    return dict(sorted(found.items()))
