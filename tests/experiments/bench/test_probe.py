"""The bench of probes."""

from metalocus.experiments.bench import probe as bench
from metalocus.experiments.probes.base import PROBES


def test_every_probe_of_bandits_is_timed(monkeypatch):
    known = {name: PROBES[name] for name in ("locus", "stay", "carry")}
    monkeypatch.setattr(bench, "PROBES", known)
    rows = bench.bench_probe()
    assert [row["probe"] for row in rows] == ["locus", "carry"]  # stay is of another task
    assert all(row["cpu_s"] > 0 for row in rows)
