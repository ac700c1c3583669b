"""The table of all agents: its scale, what it keeps, and what it refuses."""

import json

import pytest

from metalocus.agents.catalogue import best_reference, make_named
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.experiments.studies.presets import PRESETS
from metalocus.experiments.comparison import compare as comparison
from metalocus.experiments.comparison.compare import TASKS, Entry
from metalocus.experiments.comparison.page import comparison_page

TINY = {task.name: task for task in TASKS}


@pytest.mark.parametrize("task", TASKS, ids=[task.name for task in TASKS])
def test_random_choice_scores_0_and_the_best_reference_1(task):
    for name, score in (("random", 0.0), (best_reference(task.family).name, 1.0)):
        found = Entry(name, task).measure({}, PRESETS["smoke"], seed=3)
        assert found["score"] == pytest.approx(score, abs=1e-12)
    assert "wsls" not in best_reference(task.family).name


def test_a_score_is_the_expected_reward_between_those_two():
    task, preset = TINY["five_arms"], PRESETS["smoke"]

    def total(name):
        episodes = fresh_episodes(task, preset.episodes, 7)
        trace = rollout(make_named(name, task.family), episodes, 7)
        return (trace.probs * trace.means).sum() / preset.episodes

    found = Entry("wsls", task).measure({}, preset, seed=7)
    best = total(best_reference(task.family).name)
    expected = (total("wsls") - total("random")) / (best - total("random"))
    assert found["score"] == pytest.approx(expected)


def test_every_trained_agent_can_be_run_on_every_task():
    for task in TASKS:
        steps = 200 if task.name == "five_arms" else 100
        for agent in TRAINABLES:
            for seed in (0, 1):
                runs = Entry(agent, task).runs(_preset(100), seed)
                (config,) = runs.values()
                config.check()
                assert (config.agent, config.steps, config.seed) == (agent, steps, seed)
        assert not Entry("random", task).runs(_preset(100), 0)


def _preset(steps):
    quick = PRESETS["quick"]
    return comparison.Preset("any", quick.about, quick.seeds, dict.fromkeys(TRAINABLES, steps), 50)


@pytest.fixture
def quickly(monkeypatch):
    """Runs of a single rollout, on one short task."""
    task = comparison.NamedSetting(
        "bandit", "two arms", "metalocus/BernoulliBandit-v0", n_arms=2, horizon=5
    )
    monkeypatch.setattr(comparison, "TASKS", (task,))
    monkeypatch.setitem(comparison.STEPS, "smoke", 60)


def test_a_table_is_made_kept_and_printed(quickly, call, document, elsewhere):
    line = "compare --preset smoke --agents mlp delta_rule bayes_optimal wsls --json"
    code, out, _ = call(line)
    assert code == 0
    found = json.loads(out)
    kinds = {entry["agent"]: entry["kind"] for entry in found["entries"]}
    assert kinds == {
        "mlp": "trained",
        "delta_rule": "online",
        "bayes_optimal": "reference",
        "wsls": "reference",
    }
    (mlp,) = [entry for entry in found["entries"] if entry["agent"] == "mlp"]
    assert [each["seed"] for each in mlp["seeds"]] == [0, 1]
    for each in mlp["seeds"]:
        run = elsewhere / "compare" / "runs" / each["run"]
        manifest = json.loads((run / "manifest.json").read_text())
        assert all(each[name] == manifest[name] for name in ("steps", "parameters"))
        written = (run / "manifest.json").stat().st_mtime_ns
        again = document(line)
        assert again == found
        assert (run / "manifest.json").stat().st_mtime_ns == written, "nothing is trained twice"
    page = comparison_page(found)
    assert "| bayes_optimal | 1.000 (1.000 to 1.000) |" in page
    assert f"· {mlp['seeds'][0]['parameters']} |" in page
    imported = [each | {"wall_seconds": None} for each in mlp["seeds"]]
    page = comparison_page({**found, "entries": [mlp | {"seeds": imported}]})
    assert f"· ? · {mlp['seeds'][0]['parameters']} |" in page
    code, out, _ = call("compare --preset smoke --agents wsls --page PAGE.md")
    assert (code, out) == (0, "PAGE.md\n")
    assert "| wsls |" in (elsewhere / "PAGE.md").read_text()


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("--agents nobody", "unknown agent 'nobody'; choose from"),
        ("--tasks nothing", "unknown task 'nothing'; choose from bandit, five_arms"),
        ("--preset tiny", "unknown preset 'tiny'"),
        ("--agents gittins --tasks reversal", "gittins can play none of reversal"),
        ("--agents wsls harlow_memory", "harlow_memory can play none of bandit, five_arms"),
    ],
)
def test_wrong_use_is_one_line(call, elsewhere, more, reason):
    code, out, err = call(f"compare {more}")
    assert (code, out) == (2, "")
    assert reason in err
    assert err.count("\n") == 1
    assert not list(elsewhere.iterdir())


def test_an_agent_is_left_out_where_it_cannot_play():
    entries = comparison._entries(["gittins", "wsls"], ["bandit", "reversal"])
    assert [entry.name for entry in entries] == [
        "gittins-on-bandit",
        "wsls-on-bandit",
        "wsls-on-reversal",
    ]
