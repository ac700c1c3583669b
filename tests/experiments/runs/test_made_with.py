"""Runs that take code from outside the package: named by it, and not opened without it."""

import json
import subprocess
import sys

import pytest

import metalocus
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.discovery import OUTSIDE
from metalocus.experiments.folders.folder import CONFIG, NotARun
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.records import read_config
from metalocus.experiments.runs.source import _read as read_source
from metalocus.experiments.runs.source import closure, source_digest, source_text

pytestmark = pytest.mark.usefixtures("unload")

MINE = '''"""Mine."""
from metalocus.agents.cells.base import Trainable
from metalocus.agents.cells.mlp import MLP
from metalocus.envs.families.bernoulli_bandit import BernoulliBandit

class Coin(BernoulliBandit):
    name = "Coin-v0"
    separates = "heads from tails"

AGENTS = (Trainable("coin", "of two layers", MLP, cell_kwargs={"hidden_size": 8}),)
'''
BANDIT = "metalocus/BernoulliBandit-v0"


@pytest.fixture(autouse=True)
def fresh():
    """No digest of a module is kept from one test to the next: their files have one name."""
    read_source.cache_clear()
    yield
    read_source.cache_clear()


def config(env="metalocus/Coin-v0", agent="coin"):
    return RunConfig.suited(Setting(env, horizon=3), agent, 12)


def named(folder, text, **given):
    """The name of a run in a fresh Python that has loaded a file with this text."""
    path = folder / "mine.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    metalocus.load(path)
    found = config(**given).name
    forget()
    return found


def forget():
    """As if nothing had been loaded."""
    from metalocus.agents.cells.base import TRAINABLES
    from metalocus.envs import FAMILIES

    for registry, name in ((FAMILIES, "metalocus/Coin-v0"), (TRAINABLES, "coin")):
        del registry.entered[name], registry._home[name]
    del OUTSIDE["loaded_mine"], sys.modules["loaded_mine"]
    read_source.cache_clear()


def test_the_code_of_a_file_is_in_the_name_of_a_run_that_takes_it(tmp_path):
    first = named(tmp_path, MINE)
    assert named(tmp_path, MINE) == first
    assert named(tmp_path / "moved", MINE) == first
    assert named(tmp_path, MINE.replace('"""Mine."""', "# ours")) == first
    changed = MINE.replace('"hidden_size": 8', '"hidden_size": 9')
    assert named(tmp_path, changed) != first
    for given in ({"env": BANDIT}, {"agent": "mlp"}):
        assert named(tmp_path, MINE, **given) != named(tmp_path, changed, **given), given
    given = {"env": BANDIT, "agent": "mlp"}
    assert named(tmp_path, MINE, **given) == named(tmp_path, changed, **given)


def test_a_run_says_what_it_was_made_with_and_is_not_opened_without_it(tmp_path):
    path, marker = tmp_path / "mine.py", tmp_path / "imported"
    path.write_text(f"{MINE}\nfrom pathlib import Path\nPath({str(marker)!r}).touch()\n")
    metalocus.load(path)
    made = config()
    kept = made.to_json()
    recorded = json.loads(kept)["made_with"]
    assert [each["file"] for each in recorded] == [str(path)]
    sha256 = recorded[0]["sha256"]
    folder = tmp_path / made.name
    folder.mkdir()
    (folder / CONFIG).write_text(kept)
    assert read_config(folder) == made
    marker.unlink()
    forget()
    with pytest.raises(InvalidTask) as caught:
        RunConfig.from_json(kept)
    said = f"this run was made with mine.py (sha256 {sha256[:12]}); add --load {path}"
    assert str(caught.value) == said
    with pytest.raises(NotARun) as caught:
        read_config(folder)
    assert str(caught.value) == f"{folder}: {said}"
    assert not marker.exists(), "a run directory has imported something"
    metalocus.load(path)
    assert RunConfig.from_json(kept) == made
    for damaged in (5, [5], [{"file": "x"}], {"file": "x"}, "x"):
        text = json.dumps({**json.loads(kept), "made_with": damaged})
        with pytest.raises(ValueError, match="not the settings of a run"):
            RunConfig.from_json(text)


def test_runs_of_what_is_built_in_record_nothing_from_outside(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    metalocus.load(tmp_path / "mine.py")
    assert "made_with" not in json.loads(config(BANDIT, "mlp").to_json())


def test_the_source_of_a_loaded_file_is_what_was_read(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    metalocus.load(path)
    path.write_text("changed = True\n")
    assert source_text("loaded_mine") == MINE


def test_a_package_from_outside_is_followed_within_itself(tmp_path, monkeypatch):
    """Also by relative imports; other packages are not."""
    package = tmp_path / "outsiders"
    (package / "deep").mkdir(parents=True)
    files = {
        "__init__.py": "",
        "first.py": "from . import second\nfrom .deep.third import x\nimport json\n",
        "second.py": "import metalocus.envs.checks\n",
        "deep/__init__.py": "",
        "deep/third.py": "from ..fourth import *\nx = 1\n",
        "fourth.py": "y = 1\n",
        "unused.py": "",
    }
    for name, text in files.items():
        (package / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    found = closure({"outsiders.first"})
    parts = ("first", "second", "deep.third", "fourth")
    assert {each for each in found if each.startswith("outsiders")} == {
        f"outsiders.{part}" for part in parts
    }
    assert "metalocus.envs.checks" in found
    assert not any(each.startswith("json") for each in found)
    before = source_digest("outsiders.first")
    (package / "fourth.py").write_text("y = 2\n")
    read_source.cache_clear()
    assert source_digest("outsiders.first") != before


def test_a_script_has_a_source_and_a_notebook_has_none(tmp_path):
    asked = "from metalocus.experiments.runs.source import source_digest\n"
    asked += "try:\n    print(source_digest('__main__'))\nexcept ValueError as error:\n"
    asked += "    print(error)\n"
    script = tmp_path / "script.py"
    script.write_text(asked)
    by_file, at_prompt, piped = (
        subprocess.run(
            [sys.executable, *given], input=asked, capture_output=True, text=True, check=True
        ).stdout
        for given in ([script], ["-c", asked], ["-"])
    )
    assert len(by_file.strip()) == 16
    for said in (at_prompt, piped):
        assert "no source file" in said
        assert "give that to metalocus.load" in said
