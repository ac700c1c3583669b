"""What ships with the package: made of a finished debate, read without training."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import metalocus
from metalocus.agents.ppo.files import Corrupt, write_record
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask
from metalocus.experiments.debate.report import write_shipped
from metalocus.experiments.folders.folder import NotARun
from metalocus.experiments.runs import load
from metalocus.experiments.runs.named import BANDIT, NAMED, NamedSetting
from metalocus.experiments.shipped import make as making
from metalocus.experiments.shipped import page, read

ROOT = Path(__file__).parents[3]
TINY = NamedSetting("tiny", "two arms, 5 pulls", BANDIT.env, n_arms=2, horizon=5)


@pytest.fixture
def debate(run, monkeypatch):
    """A finished debate over the tiny run, whose setting has a short name."""
    monkeypatch.setitem(NAMED, "tiny", TINY)
    monkeypatch.setattr(making, "SEED", 1)
    folder = run.parents[1]
    tasks = {"tiny": {"values": [0.5, None], "estimate": None, "low": None, "high": None}}
    verdict = {
        **{"claim": "habit", "number": 1, "statement": "It learns.", "holds": {}, "shown": []},
        "seeds": {"run": 2, "most": None},
        "quantities": {"score": {"about": "a score", "tasks": tasks}},
        **{"predictions": [], "register": {"equal": False, "entries": []}},
    }
    found = {
        "preset": {"name": "full", "about": "all", "seeds": 2, "of_seeds": 2},
        "tasks": {"tiny": TINY.title},
        "question": {"agent": "lstm", "options": "", "claims": ""},
        **{"not_asked": {}, "not_run": {}, "sides": {}, "headline": ["Settled."]},
        **{
            "verdicts": [verdict],
            "shipped": None,
            "curves": {},
            "development": {},
            "source": {},
        },
        "made": {
            **{"date": "2031-02-03", "version": "0.1", "commit": None, "source": "feed"},
            "versions": {"torch": "2.99"},
            "machine": {"host": "here", "processor": "x86", "instruction set": "AVX2"},
        },
        "runs": [{"name": run.name, "title": "t", "serves": [], **manifest(run)}],
    }
    write_record(folder / "verdicts.json", found)
    return folder


def manifest(run):
    return json.loads((run / "manifest.json").read_text())


@pytest.fixture
def data(debate, monkeypatch, tmp_path):
    into = making.make(debate, tmp_path / "data")
    monkeypatch.setattr(read, "DATA", into)
    return into


def test_nothing_shipped_is_said_in_one_line(monkeypatch, tmp_path, document, call, elsewhere):
    monkeypatch.setattr(read, "DATA", tmp_path / "none")
    for ask in (read.shipped_debate, lambda: metalocus.shipped("lstm", "five_arms")):
        with pytest.raises(NotARun, match="ships no results; run `metalocus debate --preset full"):
            ask()
    assert read.shipped_claims(["emergence"]) is None
    code, out, err = call("debate --shipped")
    assert (code, out) == (2, "")
    assert err == f"metalocus: {read.NOTHING}\n"


def test_a_finished_debate_is_shipped_without_events(debate, data, run):
    assert {path.name for path in data.iterdir()} == {"verdicts.json", "values.parquet", "agents"}
    files = {path.name for path in (data / "agents" / "lstm" / "tiny").iterdir()}
    assert files == {
        *("config.json", "weights.safetensors", "meta.json", "results.parquet", "manifest.json"),
    }
    row = {"claim": "habit", "quantity": "score", "task": "tiny"}
    assert pq.read_table(data / "values.parquet").to_pylist() == [
        {**row, "seed": 0, "value": 0.5},
        {**row, "seed": 1, "value": None},
    ]
    (data / "of before").touch()
    making.make(debate, data)
    assert not (data / "of before").exists(), "it replaces what was there"
    with pytest.raises(NotARun, match="holds no finished debate"):
        making.make(run, data)
    assert (data / "verdicts.json").exists(), "and nothing by nothing"


def test_runs_with_own_arguments_other_seeds_or_without_training_stay_behind(
    debate, monkeypatch, tmp_path
):
    monkeypatch.setattr(making, "SEED", 0)
    into = making.make(debate, tmp_path / "data")
    assert not (into / "agents").exists()


def test_an_agent_is_replaced_by_one_that_was_trained_no_less(debate, data, run):
    runs = [{"name": run.name}]
    folder = data / "agents" / "lstm" / "tiny"
    config = json.loads((folder / "config.json").read_text())
    for more, kept in ((1, False), (-1, True)):
        other = json.dumps({**config, "steps": config["steps"] - more})
        (folder / "config.json").write_text(other)
        making.ship_agents(debate, runs, data)
        assert ((folder / "config.json").read_text() == other) == kept


def test_a_shipped_agent_plays_at_once(data, recwarn, monkeypatch):
    agent = metalocus.shipped("lstm", "tiny")
    trace = rollout(agent, fresh_episodes(TINY, 3, seed=0))
    assert trace.probs.shape == (5, 3, 2)
    monkeypatch.setattr(type(load.read_config(data / "agents/lstm/tiny")), "source", "newer")
    metalocus.shipped("lstm", "tiny")
    assert not [each for each in recwarn if "was made by other code" in str(each.message)]
    with pytest.raises(InvalidTask, match="unknown shipped agent 'lstn'; did you mean 'lstm'"):
        metalocus.shipped("lstn", "tiny")
    with pytest.raises(InvalidTask, match="unknown task of the shipped lstm 'bandit'"):
        metalocus.shipped("lstm", "bandit")
    weights = data / "agents" / "lstm" / "tiny" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(Corrupt):
        metalocus.shipped("lstm", "tiny")


def test_the_shipped_page_is_written_beside_what_is_there(data, call, elsewhere):
    own = Path("debate")
    own.mkdir()
    (own / "report.html").write_text("of the user")
    code, out, err = call("debate --shipped")
    assert (code, err) == (0, "")
    assert "report: debate/shipped.html" in out
    assert "<p>Settled.</p>" in (own / "shipped.html").read_text()
    assert (own / "report.html").read_text() == "of the user"
    code, out, err = call("debate --shipped --preset full")
    assert (code, out) == (2, "")
    assert "leave preset, claims, agent and setting out" in err


def test_claims_of_the_shipped_debate_are_found_with_what_made_them(data):
    shipped = read.shipped_claims(["habit", "other"])
    assert [each["claim"] for each in shipped["verdicts"]] == ["habit"]
    assert shipped["made"]["date"] == "2031-02-03"
    assert read.shipped_claims(["other"]) is None
    shutil.copy(data / "values.parquet", data / "verdicts.json")
    for ask in (lambda: read.shipped_claims(["habit"]), lambda: write_shipped(data)):
        with pytest.raises(Corrupt, match="install metalocus again"):
            ask()


def test_the_verdicts_are_written_between_the_marks_of_a_page_and_twice_change_nothing(
    data, monkeypatch, tmp_path
):
    tasks = {"tiny": {"values": [0.5, 0.7], "estimate": 0.6, "low": 0.5, "high": 0.7}}
    judged = {"verdict": "undecided", "p": 0.2, "more_seeds": 3}
    prediction = {
        **{"side": "weights", "says": "it learns", "quantity": "score", "by_construction": False},
        **{"relation": ">=", "bound": 0.5, "tasks": {"tiny": judged}},
    }
    found = read.shipped_debate()
    found["verdicts"][0]["quantities"]["score"]["tasks"] = tasks
    found["verdicts"][0]["predictions"] = [prediction]
    monkeypatch.setattr(page, "shipped_debate", lambda: found)
    written = tmp_path / "results.md"
    written.write_text("before\n<!-- verdicts -->\nold\n<!-- /verdicts -->\nafter\n")
    page.write_verdicts(written)
    text = written.read_text()
    row = "| weights: it learns (at least 0.5) | `tiny` | 0.600 [0.500, 0.700] |"
    assert f"{row} ? undecided, 3 more seeds would decide |" in text
    assert text.startswith("before\n<!-- verdicts -->\nPreset full, 2 training seeds, judged")
    assert text.endswith("<!-- /verdicts -->\nafter\n")
    assert "old" not in text
    page.write_verdicts(written)
    assert written.read_text() == text
    assert "(1 of 2 training seeds)" not in text
    found["verdicts"][0]["seeds"]["run"] = 1
    page.write_verdicts(written)
    assert "**1 habit.** It learns.\n(1 of 2 training seeds)\n" in written.read_text()
    written.write_text("no marks\n")
    with pytest.raises(InvalidTask, match="needs the lines"):
        page.write_verdicts(written)
    assert written.read_text() == "no marks\n"


def test_what_the_package_shows_of_training_comes_with_its_agents_and_runs():
    found = read.shipped_debate()
    assert any("development" in run["serves"] for run in found["runs"])
    shown = [
        (name, task) for task, each in found["development"].items() for name in each["numbers"]
    ]
    assert shown
    for name, task in shown:
        assert read.shipped_agent(name, task).layout.family.n_arms > 1


def test_the_page_of_results_has_what_is_shipped():
    text = (ROOT / "docs" / "results.md").read_text()
    shipped = page.verdicts(read.shipped_debate())
    assert text.split(page.BEGIN)[1].split(page.END)[0] == shipped
