"""The bench of environments."""

from metalocus.envs.registry import FAMILIES
from metalocus.experiments.bench import env as bench
from metalocus.experiments.bench.base import TEN_ARMS

REVERSAL = "metalocus/ReversalBandit-v0"


def test_every_family_and_the_ten_arms_are_stepped(monkeypatch):
    monkeypatch.setattr(bench, "ROUNDS", 1)
    monkeypatch.setattr(bench, "FAMILIES", {REVERSAL: FAMILIES[REVERSAL]})
    rows = bench.bench_env()
    assert [(row["env"], row["batch"]) for row in rows] == [
        (env, batch) for env in (REVERSAL, TEN_ARMS.env) for batch in (1, 64, 1024)
    ]
    assert [row["env_kwargs"] for row in rows] == [{}] * 3 + [{"n_arms": 10, "horizon": 100}] * 3
    for row in rows:
        assert row["native_steps_per_cpu_s"] > 0
        assert ("sync_steps_per_cpu_s" in row) == (row["batch"] <= 64)
    assert rows[1]["native_over_sync"] > 5
