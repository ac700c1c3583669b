"""Files of one's own enter every registry, or none and one line says why."""

import hashlib
import sys

import gymnasium as gym
import pytest

import metalocus
from metalocus.agents.catalogue import CONTROLS, ONLINE, REFERENCES
from metalocus.agents.cells.base import CELLS, TRAINABLES
from metalocus.envs import FAMILIES, InvalidTask
from metalocus.envs.discovery import OUTSIDE, lacking, loaded_files
from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.probes.base import PROBES

pytestmark = pytest.mark.usefixtures("unload")

REGISTRIES = (FAMILIES, CELLS, TRAINABLES, REFERENCES, ONLINE, CONTROLS, PROBES, CLAIMS)
COIN = """
from metalocus.agents.cells.base import Trainable
from metalocus.agents.cells.mlp import MLP
from metalocus.envs.families.bernoulli_bandit import BernoulliBandit

class Coin(BernoulliBandit):
    name = "Coin-v0"
    separates = "heads from tails"

AGENTS = (Trainable("coin", "of two layers", MLP),)
"""
PROBE = """
from metalocus.experiments.probes.base import Probe

class Mine(Probe):
    name = "{name}"
    question = "?"

    def measure(self, agent, chunks):
        return {{}}
"""


@pytest.fixture
def write(tmp_path):
    def written(text, name="mine.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


def everything():
    return [list(each) for each in REGISTRIES]


def test_a_file_enters_what_it_defines(write):
    path = write(COIN)
    before = everything()
    metalocus.load(path)
    assert FAMILIES["metalocus/Coin-v0"].__module__ == "loaded_mine"
    assert TRAINABLES.home("coin") == "loaded_mine"
    assert "loaded_mine" in FAMILIES.sources()
    assert "loaded_mine" not in PROBES.sources()
    env = gym.make("metalocus/Coin-v0", n_arms=3)
    assert env.action_space.n == 3
    assert loaded_files() == {str(path): hashlib.sha256(path.read_bytes()).hexdigest()}
    added = [set(now) - set(old) for now, old in zip(everything(), before, strict=True)]
    assert added == [{"metalocus/Coin-v0"}, set(), {"coin"}, *[set()] * 5]
    assert all(names == sorted(names) for names in everything())


def test_a_file_is_loaded_once_and_stays_as_it_was_read(write):
    path = write(COIN)
    metalocus.load(path)
    coin = FAMILIES["metalocus/Coin-v0"]
    metalocus.load(path, str(path))
    assert FAMILIES["metalocus/Coin-v0"] is coin
    other = write(COIN, "elsewhere/mine.py")
    with pytest.raises(InvalidTask, match="would have the name of"):
        metalocus.load(other)
    write(COIN + "\nX = 1\n")
    with pytest.raises(InvalidTask, match="has changed since it was loaded; start Python again"):
        metalocus.load(path)


def test_what_cannot_be_entered_is_told_in_one_line_and_nothing_of_it_is(write):
    taken = COIN.replace("Coin-v0", "Harlow-v0")
    wrong = {
        "def f():\n    return 1 / 0\n\nf()\n": "mine.py, line 2: ZeroDivisionError: division by",
        "x = 1\ny = (\n": "mine.py, line 2: SyntaxError: '(' was never closed",
        "import no_such_module\n": "mine.py, line 1: ModuleNotFoundError: No module named 'no_such",
        "import sys\nsys.exit(3)\n": "mine.py, line 2: SystemExit: 3",
        "raise ValueError\n": "mine.py, line 1: ValueError",
        b"x = '\xff'\n": "mine.py, line 1: SyntaxError: ",
        b"\0": "mine.py",
        "x = 1\n": "mine.py defines nothing that metalocus knows",
        taken: "environment 'metalocus/Harlow-v0' is there already; choose another name",
        COIN + PROBE.format(name="locus"): "probe 'locus' is there already",
        COIN + PROBE.format(name="x").replace("question", "quiz"): "probe 'x' lacks question",
        COIN + PROBE.format(name="x").replace("measure", "mesure"): "probe 'x' lacks measure",
        COIN + "\nAGENTS = (5,)\n": "AttributeError: 'int' object has no attribute 'name'",
        COIN + "\nAGENTS = AGENTS + AGENTS\n": "two things have one name; rename one",
        COIN
        + PROBE.format(name="x")
        + PROBE.format(name="x").replace("Mine", "M"): "have one name",
    }
    before = everything()
    for text, said in wrong.items():
        with pytest.raises(InvalidTask) as caught:
            metalocus.load(write(text))
        assert said in str(caught.value), text
        assert "\n" not in str(caught.value)
        assert everything() == before, text
        assert "loaded_mine" not in sys.modules, text
        assert OUTSIDE == {}
        assert "metalocus/Coin-v0" not in gym.registry
    metalocus.load(write(COIN))  # and when it is mended


def test_what_is_no_file_is_told(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere.py"):
        with pytest.raises(InvalidTask, match="cannot be loaded: there is no such file"):
            metalocus.load(path)


def test_names_of_files_need_not_be_names_of_modules(write):
    metalocus.load(write(COIN, "my coin-1.py"))
    assert FAMILIES["metalocus/Coin-v0"].__module__ == "loaded_my_coin_1"


def test_everything_that_is_built_in_is_complete():
    for registry in REGISTRIES:
        for name, thing in registry.items():
            assert lacking(thing) == [], name
