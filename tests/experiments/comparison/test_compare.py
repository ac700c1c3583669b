"""The table of all agents: its scale, what it keeps, and what it refuses."""

import dataclasses
import json
import math
import shutil

import pytest

from metalocus.agents.agent import NonFinite
from metalocus.agents.catalogue import REFERENCES, make_named
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.experiments.comparison import compare as comparison
from metalocus.experiments.comparison.compare import SETTINGS, Entry
from metalocus.experiments.comparison.page import comparison_page
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.porting.exchange import export_run, import_run
from metalocus.experiments.runs.possible import require_possible
from metalocus.experiments.studies.job import RUNS
from metalocus.experiments.studies.presets import PRESETS

BY_NAME = {setting.name: setting for setting in SETTINGS}
BEST = {
    "bandit": "bayes_optimal",
    "five_arms": "finite_index",
    "reversal": "filter",
    "rules": "rule_filter",
    "binding": "binding_memory",
    "dataset": "posterior",
}
FEW = dataclasses.replace(PRESETS["smoke"], episodes=200)


def test_the_scale_runs_from_random_choice_to_a_reference_that_no_other_one_beats():
    """The oracle alone is above: it is told what the others must find out."""
    assert set(BEST) == set(BY_NAME)
    for name, setting in BY_NAME.items():
        found = {
            entry.agent: entry.measure({}, FEW, seed=3)["score"]
            for entry in comparison._entries(list(REFERENCES), [name])
        }
        assert found["random"] == pytest.approx(0.0, abs=1e-12)
        assert found[BEST[name]] == pytest.approx(1.0, abs=1e-12), name
        assert found.pop("oracle") > 1.0
        above = {agent: score for agent, score in found.items() if score > 1.02}
        assert not above, f"{above} on {setting}: beyond the noise of 200 paired episodes"


def test_a_score_is_the_expected_reward_between_those_two():
    setting, preset = BY_NAME["bandit"], PRESETS["smoke"]

    def total(name):
        episodes = fresh_episodes(setting, preset.episodes, 7)
        trace = rollout(make_named(name, setting.family), episodes, 7)
        return (trace.probs * trace.means).sum() / preset.episodes

    found = Entry("wsls", setting).measure({}, preset, seed=7)
    best = total(BEST["bandit"])
    expected = (total("wsls") - total("random")) / (best - total("random"))
    assert found["score"] == pytest.approx(expected)


def test_every_trained_agent_can_be_run_on_every_setting(monkeypatch):
    monkeypatch.setitem(comparison.STEPS, "quick", 100)
    for name, setting in BY_NAME.items():
        steps = 200 if name == "five_arms" else 100
        for agent in TRAINABLES:
            for seed in (0, 1):
                runs = Entry(agent, setting).runs(PRESETS["quick"], seed)
                (config,) = runs.values()
                require_possible(config)
                assert (config.agent, config.steps, config.seed) == (agent, steps, seed)
        assert not Entry("random", setting).runs(PRESETS["quick"], 0)


@pytest.fixture
def quickly(monkeypatch, in_this_process):
    """Runs of a single rollout, on one short setting; the names of those that are made."""
    setting = comparison.NamedSetting(
        "bandit", "two arms", "metalocus/BernoulliBandit-v0", n_arms=2, horizon=5
    )
    monkeypatch.setattr(comparison, "SETTINGS", (setting,))
    monkeypatch.setitem(comparison.STEPS, "smoke", 60)
    return in_this_process


def test_a_table_is_made_kept_and_printed(quickly, call, document, elsewhere):
    line = "compare --preset smoke --agents mlp delta_rule bayes_optimal wsls --json"
    found = document(line)
    kinds = {entry["agent"]: entry["kind"] for entry in found["entries"]}
    assert kinds == {
        "mlp": "trained",
        "delta_rule": "online",
        "bayes_optimal": "reference",
        "wsls": "reference",
    }
    (mlp,) = [entry for entry in found["entries"] if entry["agent"] == "mlp"]
    assert [each["seed"] for each in mlp["seeds"]] == [0, 1]
    assert [each["run"] for each in mlp["seeds"]] == quickly
    for each in mlp["seeds"]:
        run = elsewhere / "compare" / RUNS / each["run"]
        manifest = json.loads((run / "manifest.json").read_text())
        assert all(each[name] == manifest[name] for name in ("steps", "parameters"))
    assert document(line) == found
    assert len(quickly) == 2, "nothing is trained twice"
    page = comparison_page(found)
    assert "| bayes_optimal | 1.000 (1.000 to 1.000) |" in page
    assert f"· {mlp['seeds'][0]['parameters']} |" in page
    code, out, _ = call("compare --preset smoke --agents wsls --page PAGE.md")
    assert (code, out) == (0, "PAGE.md\n")
    assert "| wsls |" in (elsewhere / "PAGE.md").read_text()


def test_a_run_that_was_imported_is_as_good_as_one_that_was_trained(quickly, tmp_path):
    found = comparison.compare("smoke", tmp_path, ["mlp"])
    for name in quickly:
        export_run(tmp_path / RUNS / name, tmp_path / f"{name}.zip")
        shutil.rmtree(tmp_path / RUNS / name)
        import_run(tmp_path / f"{name}.zip", tmp_path / RUNS)
    again = comparison.compare("smoke", tmp_path, ["mlp"])
    assert len(quickly) == 2, "they are not trained again"
    assert again == found
    (entry,) = found["entries"]
    seeds = [each | {"wall_seconds": None} for each in entry["seeds"]]  # as some accounts are
    page = comparison_page({**found, "entries": [entry | {"seeds": seeds}]})
    assert f"· ? · {seeds[0]['parameters']} |" in page


def test_a_list_without_a_name_is_not_all_of_them(quickly, tmp_path):
    for chosen in ({"agents": []}, {"tasks": ()}, {"agents": ["mlp"], "tasks": []}):
        with pytest.raises(WrongUse, match=r"name at least one (agent|task), or leave --\1s out"):
            comparison.compare("smoke", tmp_path / "out", **chosen)
    assert quickly == []
    assert not (tmp_path / "out").exists()


def test_a_table_into_a_file_is_refused_before_work_begins(quickly, tmp_path):
    (tmp_path / "file").write_text("of the user")
    with pytest.raises(WrongUse, match="it is a file"):
        comparison.compare("smoke", tmp_path / "file", ["mlp"])
    assert quickly == []


def test_what_is_not_finite_is_not_averaged(quickly, monkeypatch, tmp_path):
    monkeypatch.setattr(Entry, "measure", lambda *_: {"score": math.nan})
    with pytest.raises(NonFinite, match=r"wsls-on-bandit: score at training seed [01] is nan"):
        comparison.compare("smoke", tmp_path, ["wsls"])


def test_wrong_use_is_one_line(call, elsewhere):
    for more, reason in {
        "--agents nobody": "unknown agent 'nobody'; `metalocus list` shows all",
        "--tasks nothing": "unknown task 'nothing'; choose from bandit, five_arms",
        "--preset tiny": "unknown preset 'tiny'",
        "--agents gittins --tasks reversal": "gittins can play none of reversal",
        "--agents wsls harlow_memory": "harlow_memory can play none of bandit, five_arms",
    }.items():
        code, out, err = call(f"compare {more}")
        assert (code, out) == (2, ""), more
        assert reason in err
        assert err.count("\n") == 1, err
    assert not list(elsewhere.iterdir())


def test_an_agent_is_left_out_where_it_cannot_play():
    entries = comparison._entries(["gittins", "wsls"], ["bandit", "reversal"])
    assert [entry.name for entry in entries] == [
        "gittins-on-bandit",
        "wsls-on-bandit",
        "wsls-on-reversal",
    ]
