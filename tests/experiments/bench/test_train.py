"""The bench of the engine: equal networks, honest goals, and every row it promises."""

import pytest
import torch

from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.policy import n_parameters
from metalocus.experiments.bench import train as bench_train

TINY = {"n_envs": 2, "n_epochs": 1, "batch_size": 100}


@pytest.fixture
def small(monkeypatch):
    """A bench of tiny sizes, within this process."""
    known = {name: TRAINABLES[name] for name in ("lstm", "mlp")}
    for name, value in {
        "SIZES": {"tiny": TINY},
        "TUNED": "tiny",
        "USUAL": (10, 4),
        "LENGTHS": (5,),
        "BATCHES": (2,),
        "GIGANTIC": (12, 4),
        "ROUNDS": 1,
        "ENOUGH_SECONDS": 0.01,
        "PATIENCE": 0.01,
        "LEARNED_AFTER": {0.0: {"n_epochs": 2}, 0.01: {}},
        "MANY_STEPS": 60_000,
        "FRESH": 50,
        "TRAINABLES": known,
        "_apart": lambda work, *args: {**work(*args), "peak_mb": 1},
    }.items():
        monkeypatch.setattr(bench_train, name, value)


def test_every_measure_is_reported(small):
    rows = bench_train.bench_train()
    measures = [row["measure"] for row in rows]
    assert measures == [
        *("speed", *["learning"] * 3, *["learned"] * 2, "length", "batch", "memory"),
        *("agent", "agent"),
    ]
    speed = rows[0]
    ratio = speed["ours_steps_per_cpu_s"] / speed["recurrent_ppo_steps_per_cpu_s"]
    assert speed["over_recurrent_ppo"] == pytest.approx(ratio, abs=0.06)
    assert all(1 <= row["steps"] <= 60_000 and row["cpu_s"] < 60.0 for row in rows[4:6])
    assert all(30.0 < row["mean_return"] < 70.0 and 1.0 < row["se"] < 10.0 for row in rows[4:6])
    assert all(row["cpu_s_per_million"] > 0 for row in rows[6:])
    assert rows[-2]["over_lstm"] == 1.0


def test_a_contestant_has_a_process_of_its_own_with_one_thread():
    found = bench_train._apart(abs_of, -3)
    assert (found["found"], found["threads"]) == (3, 1)
    assert 10 < found["peak_mb"] < 4000


def abs_of(x):
    return {"found": abs(x), "threads": torch.get_num_threads()}


def test_networks_are_alike():
    ours, theirs, native = (
        bench_train._trainer(name, TINY, "cpu").policy
        for name in ("ours", "recurrent_ppo", "recurrent_ppo_native")
    )
    assert n_parameters(ours) == n_parameters(theirs) == n_parameters(native)


def test_goals_are_reached_once_and_only_if_returns_are_as_high():
    watch = bench_train._Watch(60.0)
    watch.init_callback(bench_train._trainer("ours", TINY, "cpu"))
    watch.model._setup_learn(1)
    for mean, reached in ((50.0, set()), (76.0, {75.0}), (74.0, {75.0}), (80.5, {75.0, 80.0})):
        watch.model.ep_info_buffer.clear()
        watch.model.ep_info_buffer.extend([{"r": mean - 1.0}, {"r": mean + 1.0}])
        before = dict(watch.reached)
        watch._on_rollout_end()
        assert set(watch.reached) == reached
        assert before.items() <= watch.reached.items()
