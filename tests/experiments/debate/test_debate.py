"""The debate itself, held with agents that were never trained."""

import json
import shutil

import pytest

from metalocus.agents.ppo.files import Corrupt, read_record
from metalocus.envs import InvalidTask
from metalocus.experiments.claims.base import CLAIMS, RECURRENCE, Claim, Prediction
from metalocus.experiments.debate import main as debate
from metalocus.experiments.debate.curves import CURVES
from metalocus.experiments.debate.report import FIGURE, REPORT, write_report
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.porting.exchange import export_run, import_run
from metalocus.experiments.runs.named import setting_called
from metalocus.experiments.scoring.score import score
from metalocus.experiments.shipped.read import VERDICTS
from metalocus.experiments.studies import measure_all
from metalocus.experiments.studies.job import RUNS
from metalocus.experiments.studies.presets import PRESETS, Preset
from metalocus.experiments.training import monitor

SMALL = setting_called("metalocus/BernoulliBandit-v0", n_arms=2, horizon=5)


class Habit(Claim):
    """A claim of a moment: the score of an untrained agent on a short bandit."""

    number = 1
    name = "habit"
    statement = "The untrained agent learns."
    holds = {RECURRENCE: "it emerges"}
    quantities = {"score": "score of the agent"}
    predictions = (Prediction(RECURRENCE, "score", ">=", 0.9, "it learns", "it is near the best"),)
    settings = (SMALL,)

    def why_not(self, preset):
        return "it has eight arms" if preset.agent == "rnn" else None

    def runs(self, preset, seed):
        return {each.name: preset.run(preset.agent, each, seed) for each in self.asked_on(preset)}

    def measure(self, agents, preset, seed):
        found = {
            each.name: score(agents[each.name], each, preset.episodes, seed)
            for each in self.asked_on(preset)
        }
        return {"score": found}


class Other(Habit):
    """Another one, with a number that the preset leaves out."""

    number = 2
    name = "other"


@pytest.fixture
def small(monkeypatch, brief, undrawn, in_this_process):
    """A debate over one claim and setting, in this process; the names of the runs it makes."""
    tiny = Preset("tiny", "nothing is trained", seeds=2, part=0.0, episodes=12, numbers=(1,))
    monkeypatch.setitem(PRESETS, "tiny", tiny)
    monkeypatch.setattr(CLAIMS, "entered", {"habit": Habit(), "other": Other()})
    monkeypatch.setattr(CLAIMS, "_home", dict.fromkeys(("habit", "other"), __name__))
    monkeypatch.setattr(type(CURVES), "asked_on", lambda self, preset: (SMALL,))
    monkeypatch.setattr(monitor, "_best_curve", lambda setting, episodes: [0.0, 1.0])
    return in_this_process


@pytest.fixture(scope="module")
def kept():
    """What is found and made by the first test that asks for the debate."""
    return {}


@pytest.fixture
def debated(small, kept, tmp_path_factory, tmp_path):
    """That debate, held once: what was found, the runs it made, its page; a copy in tmp_path."""
    if not kept:
        folder = tmp_path_factory.mktemp("debated")
        kept.update(found=debate.run_debate("tiny", folder), made=list(small), folder=folder)
        small.clear()
    shutil.copytree(kept["folder"], tmp_path, dirs_exist_ok=True)
    page = (tmp_path / REPORT).read_text().replace(str(kept["folder"]), str(tmp_path))
    return kept["found"], kept["made"], page


def forbid_measuring(monkeypatch):
    """Whatever is measured from now on fails."""
    monkeypatch.setattr(Habit, "measure", None)
    monkeypatch.setattr(type(CURVES), "measure", None)


def test_a_debate_writes_verdicts_and_report_and_repeats_nothing(
    debated, small, monkeypatch, tmp_path
):
    found, made, page = debated
    assert read_record(tmp_path / VERDICTS, "") == json.loads(json.dumps(found))
    assert [verdict["claim"] for verdict in found["verdicts"]] == ["habit"]
    assert found["verdicts"][0]["register"] == {"equal": False, "entries": []}
    assert found["not_run"] == {"other": "2 other"}
    assert sorted(made) == [run["name"] for run in found["runs"]], "every run is accounted for"
    assert all(name in page for name in made)
    assert found["preset"] == {
        "name": "tiny",
        "about": "nothing is trained",
        "seeds": 2,
        "of_seeds": 2,
    }
    assert set(found["source"]) == {"habit", "curves"}
    forbid_measuring(monkeypatch)
    assert debate.run_debate("tiny", tmp_path) == found
    for word in ("habit", "1"):
        assert debate.run_claim(word, "tiny", tmp_path) == found["verdicts"][0]
    (tmp_path / VERDICTS).write_text("{}")
    with pytest.raises(Corrupt, match="repeat the `metalocus debate` command that made it"):
        write_report(tmp_path)
    (tmp_path / FIGURE).unlink()
    debate.run_debate("tiny", tmp_path)
    assert write_report(tmp_path).read_text() == page, "the advice works"
    assert (tmp_path / FIGURE).exists()
    assert small == [], "nothing is made again"


def test_claims_that_are_named_are_asked_alone_in_order(debated, monkeypatch, tmp_path):
    monkeypatch.setattr(Other, "measure", lambda *_: {"score": {SMALL.name: 0.5}})
    (tmp_path / FIGURE).unlink()
    found = debate.run_debate("tiny", tmp_path, claims=["other", "1"])
    assert [verdict["claim"] for verdict in found["verdicts"]] == ["habit", "other"]
    assert (found["curves"], found["not_run"], found["shipped"]) == ({}, {}, None)
    page = (tmp_path / REPORT).read_text()
    assert "--preset tiny --claims other 1 --out" in page
    assert "<h2>Adaptation</h2>" not in page
    assert not (tmp_path / FIGURE).exists()
    with pytest.raises(InvalidTask, match="unknown claim '3'"):
        debate.run_debate("tiny", tmp_path, claims=["3"])


def test_a_run_that_was_imported_is_as_good_as_one_that_was_trained(
    debated, small, monkeypatch, tmp_path
):
    found, made, _ = debated
    forbid_measuring(monkeypatch)
    run = tmp_path / RUNS / made[0]
    export_run(run, tmp_path / "run.zip")
    shutil.rmtree(run)
    import_run(tmp_path / "run.zip", tmp_path / RUNS)
    again = debate.run_debate("tiny", tmp_path)
    assert again["verdicts"] == found["verdicts"]
    assert f"(imported)<br><code>{made[0]}</code></td>" in write_report(tmp_path).read_text()
    assert small == [], "it was not trained again"


def test_runs_in_each_others_folders_are_refused(debated, tmp_path):
    names = [run["name"] for run in debated[0]["runs"] if "habit" in run["serves"]]
    first, second = (tmp_path / RUNS / name for name in names)
    first.rename(tmp_path / "kept")
    second.rename(first)
    (tmp_path / "kept").rename(second)
    with pytest.raises(Corrupt) as raised:
        debate.run_claim("habit", "tiny", tmp_path)
    assert len(str(raised.value).splitlines()) == 1


def test_a_debate_into_a_file_is_refused_before_work_begins(small, monkeypatch, tmp_path):
    monkeypatch.setattr(measure_all, "sweep", None)
    (tmp_path / "file").write_text("of the user")
    for begin in (
        lambda: debate.run_debate("tiny", tmp_path / "file"),
        lambda: debate.run_claim("habit", "tiny", tmp_path / "file"),
    ):
        with pytest.raises(WrongUse, match="it is a file"):
            begin()
    assert (tmp_path / "file").read_text() == "of the user"
    assert small == []


def test_a_debate_about_another_agent_and_setting_says_so(small, undrawn, tmp_path, caplog):
    """What cannot be asked of them is left out, with a line on why; the report has all of it."""
    env, kwargs = "metalocus/BernoulliBandit-v0", {"n_arms": 3, "horizon": 4}
    setting = setting_called(env, **kwargs)
    found = debate.run_debate("tiny", tmp_path, "gru", setting, {"hidden_size": 8}, ["habit"])
    assert found["question"]["options"] == (
        f"--agent gru --agent-kwargs hidden_size=8 --setting {env} n_arms=3 horizon=4"
    )
    assert found["tasks"][setting.name] == "BernoulliBandit-v0, n_arms 3, horizon 4"
    page = (tmp_path / REPORT).read_text()
    assert found["question"]["options"] + " --out" in page
    assert all(run["title"].startswith("gru, hidden_size 8 ·") for run in found["runs"])
    assert found["headline"][0].startswith("For the gru, hidden_size 8, over 2 training seeds")
    assert "They are registered for the default agent" in page
    with pytest.raises(InvalidTask, match="claim habit cannot be asked of rnn here: it has eight"):
        debate.run_claim("1", "tiny", tmp_path, "rnn", setting)
    with pytest.raises(InvalidTask, match="no claim can be asked of rnn"):
        debate.run_debate("tiny", tmp_path, "rnn")
    assert "claim habit is not asked: it has eight arms" in caplog.text


def test_curves_are_asked_by_name_too_with_claims_or_alone(debated, tmp_path):
    for claims, judged in ((["1", "curves"], ["habit"]), (["curves"], [])):
        found = debate.run_debate("tiny", tmp_path, claims=claims)
        assert [verdict["claim"] for verdict in found["verdicts"]] == judged
        assert list(found["curves"]) == [SMALL.name]
        assert found["development"] == {}
        assert "<h2>Adaptation</h2>" in (tmp_path / REPORT).read_text()


def test_the_first_seeds_of_a_preset_are_run_and_it_is_said_of_how_many(debated, tmp_path):
    found = debate.run_debate("tiny", tmp_path, claims=["1"], seeds=2)
    assert (found["preset"]["seeds"], found["preset"]["of_seeds"]) == (2, 2)
    for seeds in (0, 3):
        with pytest.raises(InvalidTask, match="tiny has 2 training seeds"):
            debate.run_debate("tiny", tmp_path, seeds=seeds)
