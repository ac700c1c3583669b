"""Modules from outside the package: a file of one's own, or one that is installed.

They are imported when somebody asks for it by name, never because a run directory names them.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

from metalocus.envs.checks import InvalidTask, require

GROUP = "metalocus.plugins"
"""The group of entry points by which an installed distribution names its modules."""


@dataclass(frozen=True)
class Origin:
    """Where a module came from, ready for JSON.

    Attributes:
        module: its full name.
        file: the absolute path that was loaded; empty for what is installed.
        distribution: name and version of what is installed; empty for a file.
        sha256: of the module's source.
    """

    module: str
    file: str
    distribution: str
    sha256: str

    def __str__(self) -> str:
        """For messages: the file or the distribution, with the beginning of the digest."""
        shown = Path(self.file).name if self.file else f"{self.module} of {self.distribution}"
        return f"{shown} (sha256 {self.sha256[:12]})"

    @property
    def how(self) -> str:
        """What to do to have it there."""
        return f"add --load {self.file}" if self.file else f"install {self.distribution}"


class _Read(SourceFileLoader):
    """Runs the source that was read, whatever the file holds later; writes no bytecode."""

    def __init__(self, name: str, path: Path, source: bytes) -> None:
        super().__init__(name, str(path))
        self.source = source

    def get_data(self, path: str) -> bytes:
        return self.source

    def get_code(self, fullname: str) -> object:  # type: ignore[override]
        return self.source_to_code(self.source, self.path)


def import_file(file: str | Path) -> tuple[ModuleType, Origin]:
    """The module that a file is, imported now; it is in ``sys.modules`` as ``loaded_<stem>``.

    Raises:
        InvalidTask: it cannot be read or imported; the message names file, line and error.
    """
    path = Path(file).absolute()
    source = _bytes(path)
    name = module_name(path)
    spec = spec_from_loader(name, _Read(name, path, source))
    assert spec is not None
    return _run(spec, path), Origin(name, str(path), "", hashlib.sha256(source).hexdigest())


def module_name(path: Path) -> str:
    """The name of the module that a file becomes; the same in every process."""
    return "loaded_" + re.sub(r"\W", "_", path.stem)


def digest_now(path: Path) -> str:
    """SHA-256 of a file as it is now.

    Raises:
        InvalidTask: it cannot be read.
    """
    return hashlib.sha256(_bytes(path)).hexdigest()


def import_installed() -> Iterator[tuple[ModuleType, Origin]]:
    """The modules that installed distributions name under ``GROUP``, imported now.

    Raises:
        InvalidTask: one of them cannot be imported; the message names it and the error.
    """
    for point in sorted(entry_points(group=GROUP), key=lambda each: (each.value, each.name)):
        said = f"the installed plugin {point.module} of {_distribution(point)}"
        try:
            module = importlib.import_module(point.module)
            require(bool(module.__file__), "it has no source file")
            sha256 = digest_now(Path(str(module.__file__)))
        except (Exception, SystemExit) as error:
            raise InvalidTask(f"{said} cannot be imported ({_told(error)}); mend it") from None
        yield module, Origin(point.module, "", _distribution(point), sha256)


def _distribution(point: EntryPoint) -> str:
    found = point.dist
    return "a distribution" if found is None else f"{found.name} {found.version}"


def _run(spec: ModuleSpec, path: Path) -> ModuleType:
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there while the module is run
    try:
        assert spec.loader is not None
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[spec.name]
        raise InvalidTask(f"{path}{_line(error, path)}: {_told(error)}") from None
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module


def _told(error: BaseException) -> str:
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _line(error: BaseException, path: Path) -> str:
    """Which line of the file an error comes from, for a message; empty if none of it."""
    lines = [
        each.lineno
        for each in traceback.extract_tb(error.__traceback__)
        if each.filename == str(path)
    ]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines.append(error.lineno)
    return f", line {lines[-1]}" if lines else ""


def _bytes(path: Path) -> bytes:
    require(path.is_file(), f"{path} cannot be loaded: there is no such file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidTask(f"{path} cannot be loaded: {error.strerror}") from None
