"""What another terminal sees of a sweep, and what it is not misled by."""

import dataclasses
import json
import shlex
import time

import pytest

from metalocus.experiments.cli.sweep_tables import status_lines
from metalocus.experiments.folders import lease
from metalocus.experiments.folders.folder import NotARun
from metalocus.experiments.folders.lease import held
from metalocus.experiments.sweeps.journal import FOLDER, JOURNAL, events, journal
from metalocus.experiments.sweeps.order import BUSY, HOPELESS, Order, Outcome
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
        book.ended(order(configs[1], tmp_path), 1, Outcome(0, seconds=0.1), False)
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


def test_a_run_that_one_driver_makes_runs_whatever_another_says(configs, tmp_path):
    one, two, three = (order(config, tmp_path) for config in configs[:3])
    names = [each.name for each in (one, two, three)]
    with journal(tmp_path, names, "first") as first, journal(tmp_path, names, "second") as second:
        for each in (one, two, three):
            first.begun(each, 1)
            second.begun(each, 1)
        second.ended(one, 1, Outcome(BUSY, "another process is writing it"), True)
        second.ended(two, 1, Outcome(BUSY, "another process is writing it"), True)
        second.ended(two, 1, Outcome(HOPELESS, "no good here"), False)
        first.ended(three, 1, Outcome(HOPELESS, "no good"), False)
        second.ended(three, 1, Outcome(BUSY, "another process is writing it"), True)
        found = status(tmp_path)
        assert found.running.keys() == {one.name, two.name}
        assert found.counts["waiting"] == 1
        first.ended(two, 1, Outcome(HOPELESS, "no good"), False)
        (failure,) = status(tmp_path).failures
        assert (failure.run, failure.reason, failure.attempts) == (two.name, "no good", 2)
    assert status(tmp_path).counts["stopped"] == 2


def test_drivers_on_many_machines_are_watched_together(configs, tmp_path, monkeypatch):
    """A thousand shards that were killed cost the two heartbeats of one."""
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(lease, "WATCH_SECONDS", 0.02)
    with journal(tmp_path, [config.name for config in configs], "metalocus sweep x") as book:
        pass
    record = json.loads(lease._record(0))
    for number, config in enumerate(configs):
        book.file = tmp_path / FOLDER / f"by-{number}" / JOURNAL
        book.file.parent.mkdir()
        (book.file.parent / ".lock.1").write_text(json.dumps({**record, "host": f"{number}"}))
        book.begun(order(config, tmp_path), 1)
    began = time.monotonic()
    assert status(tmp_path).counts["stopped"] == len(configs)
    assert time.monotonic() - began < 2 * 0.4
    (tmp_path / FOLDER).rename(tmp_path / "gone")
    for number, config in enumerate(configs):
        (tmp_path / "gone" / f"by-{number}").rename(tmp_path / config.name)
        (tmp_path / config.name / "config.json").write_text(config.to_json())
    began = time.monotonic()
    assert status(tmp_path).counts["stopped"] == len(configs), "the same for runs without journal"
    assert time.monotonic() - began < 2 * 0.4


def test_a_journal_that_was_tampered_with_misleads_nobody(configs, tmp_path):
    names = ["../../etc", "\x1b[2J", "x" * 300, "a", "b"]
    with journal(tmp_path, names, "metalocus sweep x"):
        pass
    folder = tmp_path / FOLDER / "by-x"
    folder.mkdir()
    ended = {"event": "ended", "at": 4, "attempt": 1, "code": 0}
    lines = [
        "{",
        "[1]",
        json.dumps({"event": "ended", "at": 1, "run": "../../etc", "attempt": 1, "code": 2}),
        json.dumps({"event": "ended", "at": "x", "run": "a"}),
        json.dumps({"event": "ended", "at": 2, "run": "\x1b[2J", "attempt": 1, "code": 2}),
        json.dumps({"event": "begun", "at": 3}),
        json.dumps({"event": "known", "at": 3, "runs": 5}),
        json.dumps({**ended, "run": names[2], "code": 2}),
        *(json.dumps({**ended, "run": names[3], "seconds": float(x)}) for x in ("nan", "inf")),
        json.dumps({"event": "begun", "at": 5, "run": names[4]}),
        '{"event": "ended", "at": 4, "run": "to',
    ]
    (folder / JOURNAL).write_bytes("\n".join(lines).encode() + b"\xff\x00")
    with held(folder):
        found = status(tmp_path)
    assert (found.counts["failed"], found.counts["done"], found.seconds_left) == (3, 1, None)
    said = "\n".join(status_lines(found))
    assert "\x1b" not in said
    assert clean("a\x1b[0m\n\u202eb") == "a\\x1b[0m\\n\\u202eb"
    (folder / JOURNAL).unlink()
    (folder / JOURNAL).symlink_to("/etc/passwd")
    assert status(tmp_path).counts["waiting"] == len(names)


def test_a_folder_without_a_journal_is_read_run_by_run(run, tiny, tmp_path):
    (tmp_path / "runs" / "begun").mkdir()
    (tmp_path / "runs" / "begun" / "config.json").write_text(tiny.to_json())
    found = status(tmp_path)
    assert (found.total, found.counts["done"], found.counts["stopped"]) == (2, 1, 1)
    with held(tmp_path / "runs" / "begun"):
        assert status(tmp_path).counts["running"] == 1
    with pytest.raises(NotARun):
        status(tmp_path / "nowhere")


def test_a_journal_keeps_warnings_and_bears_any_number_and_name(tmp_path, call):
    with journal(tmp_path, ["a"], "metalocus sweep x") as book:
        book.ended(Order(tmp_path, "a", ""), 1, Outcome(0, "noise\nit is short"), False)
    assert [event.values["warning"] for event in events(tmp_path)] == ["it is short"]
    folder = tmp_path / FOLDER / "by-x"
    folder.mkdir()
    begun = {"event": "begun", "at": 5, "attempt": 1}
    done = {"event": "ended", "at": 4, "attempt": 1, "code": 0, "seconds": 1e308}
    lines = [
        *({**begun, "run": name} for name in ("\x1b[2J", "\ud800", "x" * 300)),
        *({**done, "run": name} for name in ("b", "c")),
        {**done, "run": "d", "attempt": float("inf")},
        {**done, "run": "e", "at": 10**400},
    ]
    (folder / JOURNAL).write_text("\n".join(map(json.dumps, lines)))
    with held(folder):
        for more in ("", " --json"):
            code, printed, said = call(f"status{more}", tmp_path)
            assert (code, said) == (0, "")
            assert "\x1b" not in printed
    found = json.loads(printed, parse_constant=pytest.fail)
    assert (found["counts"]["running"], found["seconds_left"]) == (3, None)
    assert {"source", "versions", "machine"} <= found["made"].keys()
