"""The project as a package: what is installed, who imports whom, and the house style."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FOLDERS = ("envs", "agents", "experiments")  # in the order in which they may be imported
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MODULES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 300, 60  # lines


def name(path):
    """A path as it is written in the repository."""
    return path.relative_to(ROOT).as_posix()


def tree(path):
    return ast.parse(path.read_text())


def imports(path):
    """Every module named by an import of a file; relative ones begin with a dot."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def without_docstring(path):
    """Public functions, classes and their public methods that say nothing about themselves."""

    def visit(body, prefix):
        for node in body:
            kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
            if not isinstance(node, kinds) or node.name.startswith("_"):
                continue
            if not ast.get_docstring(node):
                yield f"{prefix}{node.name}"
            if isinstance(node, ast.ClassDef):
                yield from visit(node.body, f"{prefix}{node.name}.")

    return list(visit(tree(path).body, f"{name(path)}: "))


def test_every_package_is_listed_and_every_listed_package_is_there():
    found = {path.parent for path in MODULES if path.name == "__init__.py"}
    listed = PROJECT["tool"]["setuptools"]["packages"]
    expected = {f"metalocus.{name(path).replace('/', '.')}" for path in found}
    assert set(listed) == expected
    assert len(listed) == len(expected)


def test_every_folder_with_code_is_a_package():
    for path in MODULES:
        assert (path.parent / "__init__.py").exists(), name(path)


def test_the_three_folders_are_installed_under_one_name_with_their_types():
    tool = PROJECT["tool"]["setuptools"]
    assert tool["package-dir"] == {f"metalocus.{folder}": folder for folder in FOLDERS}
    for folder in FOLDERS:
        assert "py.typed" in tool["package-data"][f"metalocus.{folder}"]
        assert (ROOT / folder / "py.typed").exists()


def test_data_files_are_installed():
    """Whatever is not Python in the folders matches a pattern of its package."""
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix not in (".py", ".pyc"):
                package = "metalocus." + name(path.parent).replace("/", ".")
                matched = [path.match(pattern) for pattern in patterns.get(package, [])]
                assert any(matched), f"{name(path)} is not in the wheel"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_every_module_and_public_name_has_a_docstring(path):
    assert ast.get_docstring(tree(path)), f"{name(path)} has no docstring"
    assert without_docstring(path) == []


@pytest.mark.parametrize("path", MODULES + TESTS, ids=name)
def test_imports_are_absolute_and_through_metalocus(path):
    """Bare ``envs`` or ``agents`` collide with other distributions and users' own folders."""
    for imported in imports(path):
        assert imported.split(".")[0] not in FOLDERS, f"bare import of {imported}"
        assert not imported.startswith("."), f"relative import of {imported}"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_go_one_way(path):
    level = FOLDERS.index(name(path).split("/")[0])
    for imported in imports(path):
        parts = imported.split(".")
        if parts[0] == "metalocus" and len(parts) > 1:
            assert FOLDERS.index(parts[1]) <= level, f"{name(path)} imports {imported}"


def lint_imports(folder):
    """The import linter on a copy of the project, and what it said."""
    linter = shutil.which("lint-imports", path=Path(sys.executable).parent)
    run = subprocess.run(
        [linter, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    return run.returncode, run.stdout


@pytest.mark.parametrize(
    ("where", "what"),
    [("agents", "metalocus.experiments.errors"), ("envs", "metalocus.agents.agent")],
)
def test_the_import_linter_sees_an_import_in_the_wrong_direction(tmp_path, where, what):
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / "metalocus" / folder)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    status, said = lint_imports(tmp_path)
    assert status == 0, said
    (tmp_path / "metalocus" / where / "planted.py").write_text(f"import {what}\n")
    status, said = lint_imports(tmp_path)
    assert status == 1
    assert f"metalocus.{where}.planted -> {what} (l.1)" in said


def direct_requirements():
    """Everything that pyproject asks for, extras and the build included."""
    project = PROJECT["project"]
    lines = [*project["dependencies"], *PROJECT["build-system"]["requires"]]
    for extra in project.get("optional-dependencies", {}).values():
        lines += extra
    return [Requirement(line) for line in lines]


def test_constraints_pin_every_direct_dependency_to_an_allowed_version():
    """An unpinned torch would pull several GB of CUDA packages."""
    lines = (ROOT / "constraints.txt").read_text().split()
    pins = dict(re.fullmatch(r"([\w.-]+)==([\w.+]+)", line).groups() for line in lines)
    pinned = {canonicalize_name(key): version for key, version in pins.items()}
    assert len(pinned) == len(lines)
    for requirement in direct_requirements():
        version = pinned.get(canonicalize_name(requirement.name))
        assert version, f"constraints.txt does not pin {requirement.name}"
        assert requirement.specifier.contains(version), f"{requirement} excludes {version}"


def test_every_dependency_is_used():
    """By an import of ours, or by Stable-Baselines3 for its logs and progress bar."""
    used = {imported.split(".")[0] for path in MODULES for imported in imports(path)}
    used |= {"tensorboard", "rich", "tqdm"}
    modules = {"scikit-learn": "sklearn"}
    names = [Requirement(line).name for line in PROJECT["project"]["dependencies"]]
    assert [one for one in names if modules.get(one, one.replace("-", "_")) not in used] == []


def test_the_citation_names_the_released_version():
    text = (ROOT / "CITATION.cff").read_text()
    fields = dict(re.findall(r"^([\w-]+): *(.*)$", text, re.MULTILINE))
    assert fields["cff-version"] == "1.2.0"
    assert fields["version"] == PROJECT["project"]["version"]
    assert fields["license"] == PROJECT["project"]["license"]
    assert fields["title"].strip('"').startswith(PROJECT["project"]["name"])
    for required in ("message", "authors"):
        assert required in fields


def test_the_ci_script_is_a_program():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.parametrize("path", MODULES + TESTS, ids=name)
def test_files_are_short(path):
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST_FILE, f"{name(path)} has {lines} lines"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_functions_are_short(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            assert lines <= LONGEST_FUNCTION, f"{name(path)}: {node.name} has {lines} lines"
