"""Finding what lies in a package: whatever has a module there exists.

Every kind of thing (families, trained agents, references, probes, claims, ...) has one
:class:`Registry`. Modules are found in the package and its subpackages; a module that defines
nothing of the kind is a helper and is passed over.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from types import ModuleType
from typing import TypeVar

from metalocus.envs.checks import InvalidTask

Entry = TypeVar("Entry")
Base = TypeVar("Base")


class Registry(Mapping[str, Entry]):
    """All things of one kind by name, in alphabetical order; imported at the first look.

    Args:
        kind: what one of them is called, for messages.
        package: where their modules are.
        entries: the things that a module defines, by name.
    """

    def __init__(
        self,
        kind: str,
        package: str,
        entries: Callable[[ModuleType], Iterable[tuple[str, Entry]]],
    ) -> None:
        self.kind, self.package, self.entries = kind, package, entries

    @cached_property
    def _found(self) -> dict[str, Entry]:
        folder = importlib.import_module(self.package)
        names = [info.name for info in pkgutil.walk_packages(folder.__path__, f"{self.package}.")]
        modules = [importlib.import_module(name) for name in names]
        found = [entry for module in modules for entry in self.entries(module)]
        return dict(sorted(found, key=lambda entry: entry[0]))

    def __getitem__(self, name: str) -> Entry:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def find(self, name: str) -> Entry:
        """The thing of a name.

        Raises:
            InvalidTask: there is none; the nearest name is suggested.
        """
        if name not in self:
            raise InvalidTask(unknown(self.kind, name, self))
        return self[name]


def classes(base: type[Base]) -> Callable[[ModuleType], Iterator[tuple[str, type[Base]]]]:
    """What a module defines itself: the subclasses of ``base`` with a ``name`` of their own."""

    def entries(module: ModuleType) -> Iterator[tuple[str, type[Base]]]:
        for _, cls in inspect.getmembers(module, inspect.isclass):
            own = cls.__module__ == module.__name__ and "name" in vars(cls)
            if own and issubclass(cls, base):
                yield str(vars(cls)["name"]), cls

    return entries


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """A message for a name that does not exist: the nearest that does, and all of them."""
    names = list(known)
    short = {each.rpartition("/")[2].lower(): each for each in names}  # without the namespace
    near = difflib.get_close_matches(str(name).rpartition("/")[2].lower(), short, n=1)
    hint = f"; did you mean {short[near[0]]!r}?" if near else ";"
    return f"unknown {kind} {name!r}{hint} choose from {', '.join(names)}"
