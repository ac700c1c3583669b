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

from metalocus.envs.checks import InvalidTask, require, short_repr

Entry = TypeVar("Entry")
Base = TypeVar("Base")


class Registry(Mapping[str, Entry]):
    """All things of one kind by name, in alphabetical order; imported when first looked at.

    Args:
        kind: what one of them is called, for messages.
        package: where their modules are.
        entries: the things that a module defines, by name.

    Raises:
        InvalidTask: when first looked at, if two different things have one name.
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
        found: dict[str, Entry] = {}
        home: dict[str, str] = {}  # the module of each, by name
        for module in modules(self.package):
            for name, entry in self.entries(module):
                first = home.setdefault(name, module.__name__)
                same = found.setdefault(name, entry) is entry
                two = (
                    f"two things are called {self.kind} {name!r}: in {first} and {module.__name__}"
                )
                require(same, f"{two}; rename one")
        return dict(sorted(found.items()))

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
        if not isinstance(name, str) or name not in self:
            raise InvalidTask(unknown(self.kind, name, self))
        return self[name]


def modules(package: str) -> Iterator[ModuleType]:
    """Every module of a package and of its subpackages, imported, subpackages included."""
    folder = importlib.import_module(package)
    for info in pkgutil.walk_packages(folder.__path__, f"{package}."):
        yield importlib.import_module(info.name)


def classes(base: type[Base]) -> Callable[[ModuleType], Iterator[tuple[str, type[Base]]]]:
    """The things of a module that are the subclasses of ``base`` with a ``name`` of their own.

    Classes that the module imports from elsewhere are not its own.
    """

    def entries(module: ModuleType) -> Iterator[tuple[str, type[Base]]]:
        for _, cls in inspect.getmembers(module, inspect.isclass):
            own = cls.__module__ == module.__name__ and "name" in vars(cls)
            if own and issubclass(cls, base):
                yield str(vars(cls)["name"]), cls

    return entries


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """A message for a name that does not exist: the nearest that does, and all of them."""
    return f"unknown {kind} {short_repr(name)}{suggestion(name, known)}"


def suggestion(name: object, known: Iterable[str]) -> str:
    """The end of a message on an unknown name: the nearest name that is known, and all of them."""
    names = list(known)
    short = {each.rpartition("/")[2].lower(): each for each in names}  # without the namespace
    own = name.rpartition("/")[2].lower() if isinstance(name, str) else ""
    near = difflib.get_close_matches(own, short, n=1)
    hint = f"; did you mean {short[near[0]]!r}?" if near else ";"
    return f"{hint} choose from {', '.join(names)}"
