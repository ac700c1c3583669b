"""The project as a package: what is installed, who imports whom, which pages say what."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path

import grimp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import metalocus

ROOT = Path(__file__).parents[1]
FOLDERS = ("envs", "agents", "experiments")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MODULES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
ROOMS = sorted({path.parent for path in MODULES})
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
COLLECTIONS = (
    *("envs/families", "agents/cells", "agents/controls"),
    *("experiments/probes", "experiments/claims", "experiments/replications"),
)
"""Rooms of as many files as there are things of a kind."""
EXAMPLE = "envs/families/one_change.py"
"""What the worked example of CONTRIBUTING.md adds."""


def name(path):
    """A path as it is written in the repository."""
    return path.relative_to(ROOT).as_posix()


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path):
    """Every module named by an import of a file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def test_every_package_is_listed_and_every_listed_package_is_there():
    found = {path.parent for path in MODULES if path.name == "__init__.py"}
    listed = PROJECT["tool"]["setuptools"]["packages"]
    expected = {f"metalocus.{name(path).replace('/', '.')}" for path in found}
    assert set(listed) == {"metalocus", *expected}
    assert len(listed) == len(set(listed))


def test_every_folder_with_code_is_a_package():
    for path in MODULES:
        assert (path.parent / "__init__.py").exists(), name(path)


def test_the_checkout_is_installed_as_one_package_with_its_types():
    tool = PROJECT["tool"]["setuptools"]
    assert tool["package-dir"] == {"metalocus": "."}
    assert "py.typed" in tool["package-data"]["metalocus"]
    for file in ("__init__.py", "__main__.py", "py.typed"):
        assert (ROOT / file).exists()
    assert metalocus.__version__ == PROJECT["project"]["version"] == version("metalocus")


def test_data_files_are_installed():
    """Whatever is not Python in the folders matches a pattern of its package."""
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    installed = {
        path
        for package, own in patterns.items()
        for pattern in own
        for path in ROOT.joinpath(*package.split(".")[1:]).glob(pattern.replace("**", "**/*"))
    }
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix not in (".py", ".pyc"):
                assert path in installed, f"{name(path)} is not in the wheel"


@pytest.fixture(scope="module")
def imported():
    """The modules that each module imports when it runs, anywhere in its file."""
    graph = grimp.build_graph("metalocus", exclude_type_checking_imports=True, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def test_no_circle_of_imports_and_no_long_chain_of_them(imported):
    """An order exists; the longest chain within experiments has at most ten files."""
    order = list(TopologicalSorter(imported).static_order())  # raises with the circle, if any
    assert len(order) > len(FOLDERS) * 10
    chains = {}
    for module in (each for each in order if each.startswith("metalocus.experiments")):
        below = [chains[each] for each in imported[module] if each in chains]
        chains[module] = [module, *max(below, key=len, default=[])]
    longest = max(chains.values(), key=len)
    assert len(longest) <= 10, " -> ".join(longest)


def test_rooms_are_small_and_say_what_to_read_first():
    """At most about fifteen files; the docstring of the room names one of them that is there."""
    for room in ROOMS:
        files = [path.stem for path in room.glob("*.py") if path.name != "__init__.py"]
        assert len(files) <= 15 or name(room) in COLLECTIONS, f"{name(room)}: {len(files)} files"
        said = ast.get_docstring(tree(room / "__init__.py"))
        named = [room / each for each in re.findall(r"``([\w./]+)``", said)]
        there = [path for path in named if path.exists() or path.with_suffix(".py").exists()]
        assert there, f"{name(room)}: its docstring does not say what to read first"


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
    return run.returncode, " ".join(run.stdout.split())


@pytest.fixture
def copy(tmp_path):
    """A folder with the project's settings, where metalocus is a copy that can be changed."""
    for folder in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / "metalocus" / folder, ignore=ignored)
    for file in ("__init__.py", "__main__.py"):
        shutil.copy(ROOT / file, tmp_path / "metalocus")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_import_linter_sees_an_import_in_the_wrong_direction(copy):
    """All that are planted, and no other: there is none in the project."""
    upward = {
        "envs": "metalocus.agents.agent",
        "agents": "metalocus.experiments.errors",
        "agents/cells": "metalocus.agents.ppo.algorithm",
        "experiments/runs": "metalocus.experiments.training.train",
    }
    for where, what in upward.items():
        (copy / "metalocus" / where / "planted.py").write_text(f"import {what}\n")
    status, said = lint_imports(copy)
    assert status == 1
    planted = {(f"metalocus.{each.replace('/', '.')}.planted", upward[each]) for each in upward}
    assert set(re.findall(r"(metalocus[\w.]*) -> (metalocus[\w.]*) \(l\.", said)) == planted, said


def direct_requirements():
    """Everything that pyproject asks for, extras and the build included."""
    project = PROJECT["project"]
    lines = [*project["dependencies"], *PROJECT["build-system"]["requires"]]
    for extra in project.get("optional-dependencies", {}).values():
        lines += extra
    return [Requirement(line) for line in lines]


def test_constraints_pin_every_direct_dependency_to_an_allowed_version():
    """An unpinned torch would pull several GB of CUDA packages."""
    lines = text("constraints.txt").split()
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


def test_the_citation_and_the_changelog_name_the_version():
    fields = dict(re.findall(r"^([\w-]+): *(.*)$", text("CITATION.cff"), re.MULTILINE))
    assert fields["cff-version"] == "1.2.0"
    assert fields["version"] == PROJECT["project"]["version"]
    assert fields["license"] == PROJECT["project"]["license"]
    assert fields["title"].strip('"').startswith(PROJECT["project"]["name"])
    for required in ("message", "authors"):
        assert required in fields
    headings = re.findall(r"^## \[([^]]+)\]", text("CHANGELOG.md"), re.MULTILINE)
    assert headings[:2] == ["Unreleased", PROJECT["project"]["version"]]


def test_the_ci_script_is_a_program_that_the_hosts_call():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    subprocess.run(["bash", "-n", script], check=True)
    assert "run: .ci/run\n" in text(".github/workflows/ci.yml")
    command = re.search(r"^TEST='(.*)'$", script.read_text(), re.MULTILINE)[1]
    assert command in text("README.md").splitlines()


def test_pages_link_to_what_is_there():
    """Every link within the repository, and every path or module of ours in backticks."""
    for page in PAGES:
        said = page.read_text(encoding="utf-8")
        for target, _, heading in re.findall(r"\]\(([^)#:]*)(#([\w-]+))?\)", said):
            there = page.parent / target if target else page
            assert there.exists(), f"{page.name} links to {target}"
            assert not heading or heading in headings(there), f"{page.name} links to #{heading}"
        for path in re.findall(rf"`((?:{'|'.join(FOLDERS)}|tests)/[\w./]*)`", said):
            assert (ROOT / path).exists() or path == EXAMPLE, f"{page.name} names {path}"
        for module in re.findall(r"metalocus(?:\.\w+)+", said):
            assert is_there(module), f"{page.name} names {module}"


def headings(page):
    """The anchors of a page's headings, as hosts of repositories make them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}


def is_there(module):
    """Whether a dotted name is a module of ours, or a name that one of them defines."""
    *parents, last = module.split(".")[1:]
    folder = ROOT.joinpath(*parents)
    inside = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    beside = folder / last
    defined = inside.exists() and re.search(rf"\b{last}\b", inside.read_text(encoding="utf-8"))
    return beside.is_dir() or beside.with_suffix(".py").exists() or bool(defined)


def test_type_checkers_find_the_checkout_by_the_link_of_the_pages(tmp_path):
    """As mypy sees a script elsewhere, before the link is made in a new environment and after."""
    link = 'ln -sfn "$PWD" "$(echo .venv/lib/python3*/site-packages)/metalocus"'
    assert f" && {link} && " in text("README.md")
    assert f"\n{link}\n" in text("CONTRIBUTING.md")
    checkout = tmp_path / "a clone"
    checkout.mkdir()
    for name in ("__init__.py", "py.typed", "envs"):
        (checkout / name).symlink_to(ROOT / name)
    venv.create(checkout / ".venv", symlinks=True)
    options = ["--follow-imports=skip", f"--cache-dir={tmp_path / 'cache'}", "--config-file="]
    options += [f"--python-executable={checkout / '.venv' / 'bin' / 'python'}"]
    for status in (1, 0, 0):
        command = [sys.executable, "-m", "mypy", *options, "-c", "import metalocus.envs.checks"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == status, done.stdout + done.stderr
        subprocess.run(["bash", "-c", link], cwd=checkout, check=True)
