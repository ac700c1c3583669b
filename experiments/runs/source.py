"""A digest of the source that computes a number, so that no stale number is taken for a fresh one.

What a run or a measurement is stored under carries such a digest in its name. A change of a
comment, a docstring or the formatting does not change it; a change of code does.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from importlib.abc import InspectLoader
from importlib.util import find_spec, resolve_name
from pathlib import Path
from types import ModuleType

from metalocus.envs.checks import InvalidTask, require

PACKAGE = "metalocus"


def source_digest(*modules: ModuleType | str) -> str:
    """16 hexadecimal digits of the code of modules, and of all of metalocus that they import.

    Imports are followed as they are written, inside of functions too, but not those under
    ``if TYPE_CHECKING``; a module from outside of metalocus is followed within its own package
    too. What a :class:`~metalocus.envs.discovery.Registry` finds is imported by no statement: name
    the modules that are used of it (the cell's, the family's) as well.

    Args:
        modules: where to begin, as modules or by full name.

    Raises:
        ModuleNotFoundError: there is no such module.
        InvalidTask: a module has no source file, such as a notebook.
    """
    names = {module if isinstance(module, str) else module.__name__ for module in modules}
    parts = (f"{name} {_read(name)[0]}" for name in sorted(closure(names)))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def closure(modules: set[str]) -> set[str]:
    """Modules and all modules of metalocus that they import, and so on; full names."""
    found: set[str] = set()
    pending = set(modules)
    while pending:
        name = pending.pop()
        found.add(name)
        pending |= _read(name)[1] - found
    return found


@cache
def _read(name: str) -> tuple[str, frozenset[str]]:
    """The digest of a module's own code, and the modules of metalocus that it imports."""
    tree = ast.parse(source_text(name))
    return code_digest(tree), frozenset(_imports(tree, name))


def source_text(name: str) -> str:
    """The text of a module, as it was read if it was loaded by :func:`metalocus.load`."""
    try:
        spec = find_spec(name)
    except ValueError:  # what it says of a module that was imported in no usual way
        return _script_text(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module {name!r}", name=name)
    if isinstance(spec.loader, InspectLoader):  # what was loaded keeps the text that was read
        text = spec.loader.get_source(name)
        require(text is not None, f"module {name} has no source to tell its versions apart")
        return str(text)
    return Path(spec.origin).read_text(encoding="utf-8")


def _script_text(name: str) -> str:
    """The text of the script that Python was started with."""
    file = getattr(sys.modules[name], "__file__", None)
    if file is None or not Path(file).is_file():
        raise InvalidTask(
            "what is defined in a notebook or at a prompt has no source file to tell its versions"
            " apart; write it to a file and give that to metalocus.load"
        )
    return Path(file).read_text(encoding="utf-8")


def code_digest(tree: ast.AST) -> str:
    """SHA-256 of a syntax tree without positions, comments and docstrings."""
    parts: list[str] = []
    _flatten(tree, parts)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _flatten(node: object, parts: list[str]) -> None:
    """Append the tree in prefix notation.

    Fields that are empty in one Python version and absent in another are left out.
    """
    if isinstance(node, list):
        parts.append("[")
        for item in node:
            if not _is_text_alone(item):
                _flatten(item, parts)
        parts.append("]")
    elif isinstance(node, ast.AST):
        parts.append(type(node).__name__)
        for field in node._fields:
            value = getattr(node, field, None)
            if value is not None and value != []:
                parts.append(field)
                _flatten(value, parts)
        parts.append(".")
    else:
        parts.append(repr(node))


def _is_text_alone(node: object) -> bool:
    """Whether a statement is a string that nothing uses: a docstring."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _imports(tree: ast.AST, importer: str) -> Iterator[str]:
    """Full names of the modules of metalocus, and of a module's own package, that it imports."""
    tops = {PACKAGE, importer.partition(".")[0]}
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _is_of(alias.name, tops))
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, importer)
            if _is_of(module, tops):
                yield from _imported_from(module, node)
        elif _is_for_types_alone(node):
            pending += node.orelse  # type: ignore[attr-defined]
        else:
            pending += ast.iter_child_nodes(node)


def _absolute(node: ast.ImportFrom, importer: str) -> str:
    """The full name of the module that names are imported from."""
    spec = find_spec(importer) if node.level else None
    package = "" if spec is None else str(spec.parent)
    return resolve_name("." * node.level + (node.module or ""), package)


def _imported_from(module: str, node: ast.ImportFrom) -> Iterator[str]:
    """The modules of ``from package import module`` and of ``from module import name``."""
    spec = find_spec(module)
    package = spec is not None and spec.submodule_search_locations is not None
    for alias in node.names:
        full = f"{module}.{alias.name}"
        yield full if package and find_spec(full) else module


def _is_for_types_alone(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in (
        "TYPE_CHECKING",
        "typing.TYPE_CHECKING",
    )


def _is_of(name: str, packages: set[str]) -> bool:
    return name.partition(".")[0] in packages
