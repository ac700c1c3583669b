"""Many runs: what is done is skipped, what is killed is tried again, what fails is named."""

import dataclasses
import os
import shlex
import sys
from collections import deque

import pytest

from metalocus.envs import InvalidTask
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders import places
from metalocus.experiments.folders.folder import WEIGHTS
from metalocus.experiments.runs.load import load_agent
from metalocus.experiments.runs.records import is_done
from metalocus.experiments.sweeps import order as orders
from metalocus.experiments.sweeps import sweep as sweeps
from metalocus.experiments.sweeps.executors.base import Executor
from metalocus.experiments.sweeps.journal import FOLDER, events
from metalocus.experiments.sweeps.order import RunFailed
from metalocus.experiments.sweeps.status import status
from metalocus.experiments.sweeps.sweep import sweep
from metalocus.experiments.training.train import train


class Here(Executor):
    """Makes runs in this process, one at a time, or takes the next planned outcome."""

    name, slots = "here", 1

    def __init__(self):
        self.plans, self.started, self.work = {}, [], deque()

    def begin(self, given):
        assert all(each.folder.is_absolute() for each in given)

    def submit(self, order):
        self.started.append(order.name)
        self.work.append(order)

    def ended(self, seconds):
        order = self.work.popleft()
        plan = self.plans.get(order.name)
        code, said = plan.pop(0) if plan else (0, "")
        if code == 0 and said != "nothing done":
            from metalocus.experiments.runs.config import RunConfig

            train(RunConfig.from_json(order.config), order.out)
        return [(order, orders.Outcome(code, said, host="here"))]

    def stop(self):
        self.work.clear()


@pytest.fixture
def here(brief):
    return Here()


@pytest.fixture
def untrained(tiny):
    """Three runs that take next to no time."""
    return [dataclasses.replace(tiny, steps=0, agent="mlp", seed=seed) for seed in range(3)]


def test_every_run_is_made_once(here, untrained, tmp_path):
    folders = sweep([*untrained, untrained[0]], tmp_path, here)
    assert folders == {config.name: tmp_path / config.name for config in untrained}
    assert sorted(here.started) == sorted(folders)
    assert all(is_done(folder) for folder in folders.values())
    assert sweep(untrained, tmp_path, here) == folders
    assert len(here.started) == 3, "runs that are done are skipped"


def test_a_damaged_run_is_reported_and_left_and_the_others_are_made(here, untrained, tmp_path):
    folder = sweep(untrained[1:2], tmp_path, here)[untrained[1].name]
    (folder / WEIGHTS).write_bytes(b"damaged")
    with pytest.raises(RunFailed, match=rf"{WEIGHTS} is damaged .* put back a copy of it"):
        sweep(untrained, tmp_path, here)
    assert (folder / WEIGHTS).read_bytes() == b"damaged"
    assert all(is_done(tmp_path / untrained[i].name) for i in (0, 2))
    assert len(here.started) == 3


def test_the_longest_run_is_started_first(here, untrained, tmp_path):
    longer = [dataclasses.replace(config, steps=10 * i) for i, config in enumerate(untrained)]
    here.plans = {config.name: [(2, "stop")] for config in longer}
    with pytest.raises(RunFailed):
        sweep(longer, tmp_path, here)
    assert here.started == [config.name for config in reversed(longer)]


def test_shards_are_parts_of_equal_size_that_make_all_together(here, tiny, tmp_path):
    configs = [dataclasses.replace(tiny, steps=0, agent="mlp", seed=seed) for seed in range(7)]
    sizes = [len(sweep(configs, tmp_path, here, shard=(i, 3))) for i in (1, 2, 3)]
    assert sorted(sizes) == [2, 2, 3]
    assert sorted(here.started) == sorted(config.name for config in configs)


def test_a_run_that_fails_is_named_with_its_reason_and_how_to_go_on(here, untrained, tmp_path):
    name = untrained[1].name
    cases = (
        ([(-9, "")] * 3, 3, "killed (exit code -9)"),
        ([(orders.LOST, "killed")] * 3, 3, "killed"),
        ([(1, "Traceback\n  line\nOSError: odd")] * 3, 3, "OSError: odd"),
        ([(orders.HOPELESS, "the checkpoint is corrupt; delete it\n")], 1, "is corrupt;"),
        ([(orders.TIME, "it took over 3 seconds")], 1, "it took over 3 seconds"),
        ([(orders.MEMORY, "it took 3 GiB")], 1, "it took 3 GiB"),
        ([(0, "nothing done")] * 3, 3, sweeps.UNFINISHED),
        ([(orders.NOT_STARTED, "out of processes")], 1, "out of processes"),
    )
    for plan, starts, reason in cases:
        here.plans[name] = list(plan)
        here.started.clear()
        with pytest.raises(RunFailed) as raised:
            sweep(untrained, tmp_path, here)
        done = [is_done(tmp_path / config.name) for config in untrained]
        assert done == [True, False, True], "the others are finished"
        message = str(raised.value)
        assert here.started.count(name) == starts, reason
        assert message.startswith(f"{name} failed: ")
        assert message.endswith("; repeat the command to continue")
        assert reason in message
        assert len(message.splitlines()) == 1
    told = sorted(events(tmp_path), key=lambda each: each.at)
    ended = [each.values for each in told if each.event == "ended"]
    history = [each for each in ended if each["run"] == name]
    assert [each["attempt"] for each in history[:3]] == [1, 2, 3]
    assert [each["again"] for each in history[:3]] == [True, True, False]
    assert len(history) == sum(starts for _, starts, _ in cases)


def test_a_killed_worker_is_started_again(here, untrained, tmp_path):
    here.plans[untrained[1].name] = [(-9, ""), (-9, "")]
    sweep(untrained, tmp_path, here)
    assert here.started.count(untrained[1].name) == 3


def test_a_run_that_another_process_makes_is_waited_for_and_shared(
    here, untrained, tmp_path, caplog, monkeypatch
):
    """However long it takes; the others are made meanwhile, and the wait is told once."""
    monkeypatch.setattr(sweeps, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(sweeps, "POLL_SECONDS", 0.01)
    name = untrained[0].name
    busy = [(orders.BUSY, "another process is writing it; wait for it or stop it")]
    here.plans[name] = [*busy * 5, (-9, ""), (-9, ""), *busy]
    with caplog.at_level("INFO", "metalocus"):
        assert sweep(untrained, tmp_path, here).keys() == {config.name for config in untrained}
    assert here.started.index(untrained[2].name) < 3, "nobody waits for it"
    assert caplog.messages.count(f"{name}: another process is writing it; waiting for it") == 1
    told = [each.values for each in events(tmp_path) if each.values.get("run") == name]
    assert all(each["again"] for each in told if each.get("code") == orders.BUSY)
    assert max(each["attempt"] for each in told) == 3, "waiting is no attempt"
    assert status(tmp_path).counts["done"] == 3


def test_what_runs_warn_of_is_told_once(here, untrained, tmp_path, caplog):
    here.plans = {config.name: [(orders.DONE, "noise\nit is short\n")] for config in untrained[:2]}
    sweep(untrained, tmp_path, here)
    (line,) = (line for line in caplog.messages if "it is short" in line)
    assert line in {f"{config.name}: it is short" for config in untrained[:2]}


def test_the_command_that_asks_can_be_pasted_into_any_shell(
    here, untrained, tmp_path, monkeypatch, caplog
):
    folder = tmp_path / "my runs"
    folder.mkdir()
    monkeypatch.chdir(folder)
    words = ["sweep", "a b.toml", "--out", "r 6"]
    monkeypatch.setattr(sys, "argv", ["/bin/metalocus", *words])
    with caplog.at_level("INFO", "metalocus"):
        sweep(untrained[:1], tmp_path, here)
    assert any("training: 1 run, 0 done before" in line for line in caplog.messages)
    (command,) = status(tmp_path).commands
    assert shlex.split(command) == ["cd", os.getcwd(), "&&", "metalocus", *words]


def test_what_a_command_asked_for_before_its_file_was_mended_is_forgotten(
    here, untrained, tmp_path
):
    here.plans[untrained[0].name] = [(orders.HOPELESS, "no good")]
    with pytest.raises(RunFailed, match="no good"):
        sweep(untrained[:2], tmp_path, here)
    assert len(status(tmp_path).failures) == 1
    sweep(untrained[1:], tmp_path, here)
    found = status(tmp_path)
    assert (found.total, found.counts["done"], found.failures) == (2, 2, [])
    assert len(found.commands) == 1


def test_nothing_is_begun_on_a_full_disk(here, untrained, tmp_path):
    names = sorted(config.name for config in untrained)
    here.plans[names[0]] = [(orders.FULL, "the disk is full (No space left on device): make room")]
    with pytest.raises(RunFailed, match=r"the disk is full .*\(3 runs failed\)"):
        sweep(untrained, tmp_path, here)
    assert len(here.started) == 1
    assert len(sweep(untrained, tmp_path, here)) == 3, "with room the same command goes on"


def test_several_failures_are_counted_and_each_line_has_its_reason(
    here, untrained, tmp_path, caplog
):
    here.plans |= {config.name: [(2, f"no {config.seed}")] for config in untrained[:2]}
    with (
        caplog.at_level("INFO", "metalocus"),
        pytest.raises(RunFailed, match=r"failed: no \d \(2 runs failed\); repeat"),
    ):
        sweep(untrained, tmp_path, here)
    lines = [line for line in caplog.messages if " of 3 runs, " in line]
    assert len(lines) == 3
    for config in untrained:
        (line,) = (line for line in lines if config.name in line)
        assert (f"FAILED: no {config.seed}" in line) == (config in untrained[:2])
        assert ("FAILED" in line) == (config in untrained[:2])


def test_nothing_is_started_if_one_config_or_the_place_is_impossible(here, untrained, tmp_path):
    bad = ({"agent": "nobody"}, {"seed": -1}, {"agent_kwargs": {"hidden_size": -1}})
    for change in bad:
        with pytest.raises(InvalidTask):
            sweep([*untrained, dataclasses.replace(untrained[0], **change)], tmp_path, here)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(WrongUse, match=r"cannot write in .+ \(it is a file\)"):
        sweep(untrained, tmp_path / "file", here)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / FOLDER).write_text("")
    with pytest.raises(WrongUse, match=rf"cannot write in .+{FOLDER} \(it is a file\)"):
        sweep(untrained, tmp_path / "runs", here)
    assert here.started == []


def test_a_large_folder_is_parted_and_its_runs_are_found_by_the_short_path(
    here, untrained, tmp_path, monkeypatch
):
    first = sweep(untrained[:1], tmp_path, here)
    monkeypatch.setattr(sweeps, "MOST", 2)
    folders = sweep(untrained, tmp_path, here)
    assert folders[untrained[0].name] == first[untrained[0].name], "it stays where it was"
    for config in untrained[1:]:
        assert folders[config.name] == tmp_path / places.part_of(config.name) / config.name
        assert not (tmp_path / config.name).exists()
        assert load_agent(tmp_path / config.name)[1] == config
    assert sweep(untrained, tmp_path, here) == folders
    assert len(here.started) == 3


def test_a_folder_that_is_parted_while_a_sweep_works_keeps_one_of_every_run(
    here, untrained, tmp_path, monkeypatch
):
    """A large sweep begins and ends between two runs of a small one; then `train` comes."""
    begun, other = here.ended, Here()

    def ended(seconds):
        if len(here.started) == 2 and not other.started:
            monkeypatch.setattr(sweeps, "MOST", 2)
            sweep(untrained, tmp_path, other)
        return begun(seconds)

    monkeypatch.setattr(here, "ended", ended)
    folders = sweep(untrained, tmp_path, here)
    assert len(other.started) == 2
    assert all(is_done(folder) for folder in folders.values())
    assert [train(config, tmp_path) for config in untrained] == list(folders.values())
    found = sorted(path.parent for path in tmp_path.rglob("config.json"))
    assert found == sorted(folders.values())
    assert len({folder.parent for folder in found}) > 1
