"""Finding what lies in a package: whatever has a module there exists.

Every kind of thing (families, trained agents, references, probes, claims, ...) has one
:class:`Registry`. Modules are found in the package and its subpackages; a module that defines
nothing of the kind is a helper and is passed over. Modules from outside the package are entered by
:func:`load`.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from metalocus.envs.checks import InvalidTask, require, short_repr
from metalocus.envs.outside import (
    Origin,
    digest_now,
    import_file,
    import_installed,
    module_name,
)

Entry = TypeVar("Entry")
Base = TypeVar("Base")

MOST_LISTED, NEAREST = 20, 3
"""Names that a message lists, all of them or the nearest alone."""
LISTER = "metalocus list"
REGISTRIES = (
    "metalocus.envs.registry:FAMILIES",
    "metalocus.agents.cells.base:CELLS",
    "metalocus.agents.cells.base:TRAINABLES",
    "metalocus.agents.trainers.base:TRAINERS",
    "metalocus.agents.catalogue:REFERENCES",
    "metalocus.agents.catalogue:ONLINE",
    "metalocus.agents.catalogue:CONTROLS",
    "metalocus.experiments.probes.base:PROBES",
    "metalocus.experiments.claims.base:CLAIMS",
)
"""Where a module from outside is entered; by name, since they are above this room."""
OUTSIDE: dict[str, Origin] = {}
"""Every module from outside that was entered, by full name."""


class Registry(Mapping[str, Entry]):
    """All things of one kind by name, in alphabetical order; imported when first looked at.

    The first look at any registry enters the plugins that are installed.

    Args:
        kind: what one of them is called, for messages.
        package: where their modules are.
        entries: the things that a module defines, by name.

    Raises:
        InvalidTask: when first looked at, if two different things have one name, or an installed
            plugin cannot be entered.
    """

    def __init__(
        self,
        kind: str,
        package: str,
        entries: Callable[[ModuleType], Iterable[tuple[str, Entry]]],
    ) -> None:
        self.kind, self.package, self.entries = kind, package, entries
        self._home: dict[str, str] = {}  # the module of each, by name

    @cached_property
    def entered(self) -> dict[str, Entry]:
        """What was entered so far, by name; installed plugins are not looked for."""
        found: dict[str, Entry] = {}
        for module in modules(self.package):
            found |= self._new(module, found)
        return dict(sorted(found.items()))

    def add(self, module: ModuleType) -> None:
        """Enter what a module defines of this kind.

        Raises:
            InvalidTask: something else has one of the names; nothing is entered.
        """
        found = self.entered | self._new(module, self.entered)
        self.__dict__["entered"] = dict(sorted(found.items()))

    def home(self, name: str) -> str:
        """The full name of the module that has the thing of a name."""
        self.find(name)
        return self._home[name]

    def sources(self) -> list[str]:
        """Full names of the modules that are looked at, and of those from outside that count."""
        own = [module.__name__ for module in modules(self.package)]
        homes = {self.home(name) for name in self}
        return [*own, *sorted(homes & OUTSIDE.keys())]

    def _new(self, module: ModuleType, found: Mapping[str, Entry]) -> dict[str, Entry]:
        """The things of a module, none of which may have the name of another."""
        new: dict[str, Entry] = {}
        for name, entry in self.entries(module):
            first = self._home.get(name, module.__name__)
            same = {**found, **new}.get(name, entry) is entry
            here = module.__name__
            two = f"two things are called {self.kind} {name!r}: in {first} and {here}; rename one"
            require(same, two)
            new[name] = entry
        for name in new:
            self._home.setdefault(name, module.__name__)
        return new

    def __getitem__(self, name: str) -> Entry:
        load()
        return self.entered[name]

    def __iter__(self) -> Iterator[str]:
        load()
        return iter(self.entered)

    def __len__(self) -> int:
        load()
        return len(self.entered)

    def find(self, name: str) -> Entry:
        """The thing of a name.

        Raises:
            InvalidTask: there is none; the nearest name is suggested.
        """
        if not isinstance(name, str) or name not in self:
            raise InvalidTask(unknown(self.kind, name, self))
        return self[name]


def load(*files: str | Path) -> None:
    """Enter what files of one's own define, beside what is there; installed plugins come first.

    A file is a Python module with any of a Family, a Cell, AGENTS, a TRAINER, an online rule, a
    ReferencePolicy, a control, a Probe and a Claim. Families are registered with Gymnasium.

    Args:
        files: paths; a file that is loaded already stays as it is.

    Raises:
        InvalidTask: a file cannot be read or imported, defines nothing, something incomplete or
            a name that exists, or has changed since it was loaded; nothing of it is entered.
    """
    _load_installed()
    for file in files:
        path = Path(file).absolute()
        before = OUTSIDE.get(module_name(path))
        if before is None:
            _enter(*import_file(path))
            continue
        other = f"{path} would have the name of {before.file}; rename one"
        require(Path(before.file) == path, other)
        changed = f"{path} has changed since it was loaded; start Python again"
        require(digest_now(path) == before.sha256, changed)


def loaded_files() -> dict[str, str]:
    """The files that are loaded, in the order of loading, each with its SHA-256."""
    return {each.file: each.sha256 for each in OUTSIDE.values() if each.file}


_installed = {"sought": False}


def _load_installed() -> None:
    """Enter what is installed, once; a plugin that looks at a registry meanwhile sees the rest."""
    if _installed["sought"]:
        return
    _installed["sought"] = True
    try:
        for module, origin in import_installed():
            if module.__name__ not in OUTSIDE:
                _enter(module, origin)
    except BaseException:
        _installed["sought"] = False
        raise


def _enter(module: ModuleType, origin: Origin) -> None:
    """Enter a module from outside into every registry, or into none."""
    registries: list[Registry[Any]] = [pkgutil.resolve_name(name) for name in REGISTRIES]
    said = origin.file or origin.module
    try:
        found = [list(each.entries(module)) for each in registries]
        _require_new(said, registries, found)
    except BaseException as error:
        if origin.file:
            sys.modules.pop(module.__name__)
        if isinstance(error, InvalidTask) or not isinstance(error, Exception):
            raise
        raise InvalidTask(f"{said}: {type(error).__name__}: {error}") from None
    OUTSIDE[module.__name__] = origin
    for registry in registries:
        registry.add(module)
    pkgutil.resolve_name("metalocus.envs.registry:register")()


def _require_new(
    said: str, registries: list[Registry[Any]], found: list[list[tuple[str, Any]]]
) -> None:
    """Raise :class:`InvalidTask` unless all that was found is complete and has names of its own."""
    require(any(found), f"{said} defines nothing that metalocus knows; see docs/extending.md")
    for registry, things in zip(registries, found, strict=True):
        for name, thing in things:
            lacks = lacking(thing)
            require(not lacks, f"{said}: {registry.kind} {name!r} lacks {', '.join(lacks)}")
            taken = f"{said}: {registry.kind} {name!r} is there already; choose another name"
            require(name not in registry.entered, taken)
        require(len(dict(things)) == len(things), f"{said}: two things have one name; rename one")


def lacking(thing: object) -> list[str]:
    """What a class, or that of a thing, must define and does not: methods and attributes."""
    cls = thing if isinstance(thing, type) else type(thing)
    annotated = [
        name
        for base in cls.__mro__
        for name, said in inspect.get_annotations(base).items()
        if "ClassVar" in str(said) and not hasattr(cls, name)
    ]
    return sorted({*annotated, *getattr(cls, "__abstractmethods__", ())})


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


def unknown(kind: str, name: object, known: Iterable[str], lister: str = LISTER) -> str:
    """A message for a name that does not exist: the nearest that does, and all of them."""
    return f"unknown {kind} {short_repr(name)}{suggestion(name, known, lister)}"


def suggestion(name: object, known: Iterable[str], lister: str = LISTER) -> str:
    """The end of a message on an unknown name: the nearest name that is known, and all of them.

    Of more than ``MOST_LISTED`` the ``NEAREST`` are told, and ``lister``, the command that lists
    all.
    """
    names = list(known)
    short = {each.rpartition("/")[2].lower(): each for each in names}  # without the namespace
    own = name.rpartition("/")[2].lower() if isinstance(name, str) else ""
    few = len(names) <= MOST_LISTED
    near = [
        repr(short[each]) for each in difflib.get_close_matches(own, short, 1 if few else NEAREST)
    ]
    hint = f"; did you mean {' or '.join(near)}?" if near else ";"
    listed = f"choose from {', '.join(names)}" if few else f"`{lister}` shows all {len(names)}"
    return f"{hint} {listed}"
