"""What another terminal sees of a sweep, and what it is not misled by."""

import dataclasses
import json
import shlex

import pytest

from metalocus.experiments.cli.sweep_tables import status_lines
from metalocus.experiments.folders.folder import NotARun
from metalocus.experiments.folders.lease import held
from metalocus.experiments.sweeps.gather import gather, summary
from metalocus.experiments.sweeps.journal import FOLDER, JOURNAL, journal
from metalocus.experiments.sweeps.order import HOPELESS, Order, Outcome
from metalocus.experiments.sweeps.status import clean, status
from metalocus.experiments.training.train import train


@pytest.fixture
def configs(tiny):
    return [dataclasses.replace(tiny, steps=0, agent="mlp", seed=seed) for seed in range(6)]


def order(config, out):
    return Order(out, config.name, config.to_json())


def test_every_run_has_the_state_that_its_driver_has_told(configs, tmp_path, brief):
    names = [config.name for config in configs]
    train(configs[1], tmp_path)
    with journal(tmp_path, names, "metalocus sweep x") as book:
        book.known(names[:1])
        for number in (1, 2, 3, 4):
            book.begun(order(configs[number], tmp_path), 1)
        book.ended(order(configs[1], tmp_path), 1, Outcome(0, seconds=4.0), False)
        (tmp_path / names[2]).mkdir()
        (tmp_path / names[2] / "config.json").write_text(configs[2].to_json())
        book.ended(order(configs[2], tmp_path), 1, Outcome(HOPELESS, "no good", host="n1"), False)
        book.ended(order(configs[3], tmp_path), 1, Outcome(-9), True)
        found = status(tmp_path)
        expected = {"done": 2, "running": 1, "failed": 1, "stopped": 0, "waiting": 2}
        assert (found.total, found.counts) == (6, expected)
        assert found.running == {names[4]: "begun"}
        assert found.seconds_left == 4.0 * 2.5
    found = status(tmp_path)
    assert found.counts["running"] == 0
    assert found.counts["stopped"] == 2, "the driver has gone: nothing runs or is tried again"
    (failure,) = found.failures
    assert (failure.reason, failure.attempts, failure.host) == ("no good", 1, "n1")
    words = shlex.split(failure.command)
    assert words[:2] == ["metalocus", "train"]
    assert {"--n-envs", "n_arms=2", "horizon=5", str(tmp_path)} <= {*words}
    lines = "\n".join(status_lines(found))
    assert "6 runs: 2 done, 1 failed, 2 stopped, 1 waiting" in lines
    assert "to go on: metalocus sweep x" in lines


def test_a_journal_that_was_tampered_with_misleads_nobody(configs, tmp_path):
    folder = tmp_path / FOLDER / "by-x"
    folder.mkdir(parents=True)
    lines = [
        "{",
        "[1]",
        json.dumps({"event": "ended", "at": 1, "run": "../../etc", "attempt": 1, "code": 2}),
        json.dumps({"event": "ended", "at": "x", "run": "a"}),
        json.dumps({"event": "ended", "at": 2, "run": "\x1b[2J", "attempt": 1, "code": 2}),
        json.dumps({"event": "begun", "at": 3}),
        json.dumps({"event": "known", "at": 3, "runs": 5}),
        '{"event": "ended", "at": 4, "run": "to',
    ]
    (folder / JOURNAL).write_bytes("\n".join(lines).encode() + b"\xff\x00")
    found = status(tmp_path)
    assert found.counts["failed"] == 2
    said = "\n".join(status_lines(found))
    assert "\x1b" not in said
    assert clean("a\x1b[0m\n\u202eb") == "a\\x1b[0m\\n\\u202eb"
    (folder / JOURNAL).unlink()
    (folder / JOURNAL).symlink_to("/etc/passwd")
    assert status(tmp_path).total == 0


def test_a_folder_without_a_journal_is_read_run_by_run(run, tiny, tmp_path):
    (tmp_path / "runs" / "begun").mkdir()
    (tmp_path / "runs" / "begun" / "config.json").write_text(tiny.to_json())
    found = status(tmp_path)
    assert (found.total, found.counts["done"], found.counts["stopped"]) == (2, 1, 1)
    with held(tmp_path / "runs" / "begun"):
        assert status(tmp_path).counts["running"] == 1
    with pytest.raises(NotARun):
        status(tmp_path / "nowhere")


def test_results_are_gathered_once_and_a_damaged_run_is_left_out(configs, tmp_path, brief):
    import pyarrow.dataset as ds

    names = [train(config, tmp_path).name for config in configs[:3]]
    (tmp_path / names[2] / "results.parquet").write_bytes(b"damaged")
    left = gather(tmp_path, names)
    assert list(left) == [names[2]]
    assert "is damaged" in left[names[2]]
    file = tmp_path / "results" / "all.parquet"
    stamp = file.stat().st_mtime_ns
    assert gather(tmp_path, names[:2]) == {}
    assert file.stat().st_mtime_ns == stamp, "nothing new is nothing to write"
    rows = ds.dataset(tmp_path / "results", format="parquet").to_table().to_pylist()
    assert {row["run"] for row in rows} == set(names[:2])
    for row in rows:
        assert json.loads(row["versions"])["torch"]
        assert json.loads(row["machine"])["processor"]
        assert len(row["source"]) == 16
        assert json.loads(row["env_kwargs"]) == {"n_arms": 2, "horizon": 5}
    ((_, only),) = [(each["runs"], each) for each in summary(tmp_path, names)]
    assert only["runs"] == 2
    assert only["low"] <= only["mean"] <= only["high"]
