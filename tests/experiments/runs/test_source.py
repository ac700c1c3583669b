"""The digest of source: what changes it, what does not, and what it covers."""

import ast
import subprocess
import sys

import pytest

from metalocus.agents.cells.base import TRAINABLES
from metalocus.envs import FAMILIES, Setting
from metalocus.experiments.runs import source
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.source import closure, code_digest, source_digest

TEXT = '''"""A module."""
import math

A = 1  # a constant
"""Its meaning."""


class B:
    """A class."""

    c: int = 2

    async def d(self, x, *y, z=None, **w):
        """A function."""
        return f"{x!r:>{A}}" if A < 2 else [math.pi, b"1", 1.0, True, None, ...]
'''


def digest(text):
    return code_digest(ast.parse(text))


def test_comments_docstrings_and_formatting_do_not_count():
    same = {
        "comment": TEXT.replace("a constant", "the constant"),
        "module docstring": TEXT.replace('"""A module."""\n', ""),
        "attribute docstring": TEXT.replace("Its meaning", "Meaning"),
        "class docstring": TEXT.replace('    """A class."""\n\n', ""),
        "function docstring": TEXT.replace("A function.", "Something."),
        "lines": TEXT.replace("\n\n\n", "\n\n\n\n").replace("(self, x,", "(\n        self, x,"),
        "parentheses and quotes": TEXT.replace("A = 1 ", "A = (1)").replace('b"1"', "b'1'"),
    }
    for name, text in same.items():
        assert text != TEXT, name
        assert digest(text) == digest(TEXT), name


def test_every_other_change_counts():
    changes = (
        *(("math", "cmath"), ("A = 1", "A = 2"), ("A = 1", "AA = 1"), ("A = 1", "A = 1.0")),
        *(
            ("A = 1", "A = '1'"),
            ("A = 1", "A = True"),
            ("class B", "class C"),
            ("async def", "def"),
        ),
        *(("c: int = 2", "c = 2"), ("c: int = 2", "c: int"), ("*y, z", "y, *, z"), ("**w", "**v")),
        *(("!r", "!s"), (":>", ":<"), ("<", "<="), ("< 2", "< 2 < 3"), ("b'1'", "'1'")),
        *(("None, ...", "..., None"), ("[math", "(math"), ("return ", ""), ("z=None", "z=0")),
    )
    digests = {digest(TEXT)}
    for old, new in changes:
        text = TEXT.replace('b"1"', "b'1'").replace(old, new, 1)
        text = text.replace("...]", "...)") if new == "(math" else text
        assert digest(text) not in digests, (old, new)
        digests.add(digest(text))


def test_a_digest_covers_all_that_is_imported():
    """Python's own record of what an import brings in is the judge; parents are packages."""
    roots = ("metalocus.experiments.runs.build", "metalocus.experiments.debate.main")
    script = "import sys\n" + "".join(f"import {root}\nprint(*sys.modules)\n" for root in roots)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    lines = run.stdout.splitlines()
    assert len(lines) == len(roots)
    for n, line in enumerate(lines, start=1):
        loaded = {name for name in line.split() if name.startswith("metalocus.")}
        parents = {name for name in loaded if any(other.startswith(f"{name}.") for other in loaded)}
        # a registry imports the families, to tell Gymnasium of them
        found = {name for name in loaded - parents if ".families." not in name}
        assert len(found) > 10
        assert found <= closure(set(roots[:n]))


@pytest.fixture
def edited(monkeypatch):
    """Act as if a line was added to a module."""
    original = source.source_text

    def edit(name):
        text = lambda each: original(each) + ("\nADDED = 1\n" if each == name else "")  # noqa: E731
        monkeypatch.setattr(source, "source_text", text)
        source._read.cache_clear()

    yield edit
    monkeypatch.undo()
    source._read.cache_clear()


def test_runs_are_renamed_by_what_decides_their_result_alone(edited):
    config = RunConfig(Setting("metalocus/BernoulliBandit-v0"), "lstm", 1, 0, 1)
    before = config.name
    for part in ("agents.ppo.losses", "agents.cells.lstm", "envs.families.bernoulli_bandit"):
        edited(f"metalocus.{part}")
        assert config.name != before, part
    for part in (
        *("experiments.training.monitor", "experiments.probes.locus", "experiments.runs.config"),
        *("agents.cells.gru", "envs.families.harlow", "agents.rollout", "experiments.cli.main"),
    ):
        edited(f"metalocus.{part}")
        assert config.name == before, part


def test_an_agent_is_defined_beside_its_cell_and_a_family_by_itself():
    """Their modules are the roots of a run's digest."""
    for name, agent in TRAINABLES.items():
        assert agent in sys.modules[agent.cell.__module__].AGENTS, name
    for name, family in FAMILIES.items():
        assert family.__module__.startswith("metalocus.envs.families."), name


def test_modules_are_named_or_given_in_any_order():
    other = "metalocus.envs.checks"
    assert source_digest(source, other) == source_digest(other, source.__name__)
    assert source_digest(source) != source_digest(other)
    with pytest.raises(ModuleNotFoundError):
        source_digest("metalocus.nothing")
    assert source_digest("metalocus.envs.setting") == source_digest("metalocus.envs.setting")
