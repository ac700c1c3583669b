"""The bench of probes."""

from metalocus.envs import Setting
from metalocus.experiments.bench import probe as bench
from metalocus.experiments.probes.base import PROBES


def test_every_probe_is_timed_on_a_task_on_which_it_has_an_answer(monkeypatch):
    known = {name: PROBES[name] for name in ("carry", "stay", "ensemble", "induction")}
    tasks = [Setting(each.env, **each.kwargs | {"horizon": 20}) for each in bench.TASKS[:3]]
    monkeypatch.setattr(bench, "PROBES", known)
    monkeypatch.setattr(bench, "TASKS", tasks)
    monkeypatch.setattr(bench, "EPISODES", 8)
    monkeypatch.setattr(bench, "LIMITS", {"lstm": 10.0, "transformer": 0.0})
    rows = bench.bench_probe()
    timed = {(row["agent"], row["probe"]): row for row in rows}
    assert set(timed) == {
        *((agent, probe) for agent in bench.LIMITS for probe in ("carry", "stay", "ensemble")),
        ("transformer", "induction"),  # the others have no heads
    }
    for (agent, probe), row in timed.items():
        assert row["task"] == ("TwoStep-v0" if probe == "stay" else "BernoulliBandit-v0")
        assert row["within"] == (agent == "lstm"), "nothing takes no time"
        assert row["cpu_s"] >= 0


def test_tasks_are_those_of_the_limits():
    """1,000 episodes of 100 trials; an answer of every probe is on one of the tasks."""
    assert bench.EPISODES == 1000
    assert all(task.family.horizon == 100 for task in bench.TASKS[:-1])
    players = [(bench._untrained("transformer", task), task) for task in bench.TASKS]
    for name in PROBES:
        answers = (bench._made(name, each).why_not(each, task) is None for each, task in players)
        assert any(answers), name
