"""Workers that are killed, too slow, too large or on a full disk; files that were tampered with."""

import dataclasses
import errno
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from dataclasses import asdict
from types import SimpleNamespace

import pytest

from metalocus.agents.ppo import files
from metalocus.agents.ppo.files import Corrupt
from metalocus.envs import InvalidTask
from metalocus.experiments.cli.sweep_tables import soak_lines
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders import lease
from metalocus.experiments.folders.folder import (
    BEFORE,
    CHECKPOINT,
    CONFIG,
    MANIFEST,
    META,
    PROGRESS,
    RESULTS,
    WEIGHTS,
)
from metalocus.experiments.folders.lease import LOCK, locked
from metalocus.experiments.runs.records import is_done, load_manifest
from metalocus.experiments.sweeps import client, forking, soak, worker
from metalocus.experiments.sweeps.executors.cluster import Ray, place
from metalocus.experiments.sweeps.order import (
    BUSY,
    DONE,
    FAILED,
    FULL,
    HOPELESS,
    MEMORY,
    ORPHANED,
    STOPPED,
    TIME,
    Limits,
    Order,
    Outcome,
)
from metalocus.experiments.sweeps.processes import ENVIRONMENT
from metalocus.experiments.sweeps.sweep import sweep
from metalocus.experiments.training import monitor, saving
from metalocus.experiments.training.train import train

pytestmark = pytest.mark.faults


@pytest.fixture
def short(tiny):
    """A run of many rollouts."""
    return dataclasses.replace(tiny, agent="mlp", steps=4_000, n_envs=16)


@pytest.fixture
def attend(brief, tmp_path, monkeypatch):
    """Has a run made by a worker that is forked from this process; it may be slow to save."""
    monkeypatch.setattr(forking, "GRACE_SECONDS", 120.0)

    def made(config, limits=Limits(), out=tmp_path):  # noqa: B008
        order = Order(out, config.name, config.to_json(), limits)
        return forking.attend(order, worker.work, os.getppid(), forking.Stopping())

    return made


def test_a_run_over_its_time_is_saved_and_goes_on_to_the_same_bits(attend, short, tmp_path):
    """The limit falls after the first measurement, since the worker looks once in a rollout."""
    endless = dataclasses.replace(short, steps=10**7)
    outcome = attend(endless, Limits(seconds=0.5))
    assert outcome.code == TIME
    assert outcome.reason == "it took over 0.5 seconds and is saved"
    assert (tmp_path / endless.name / CHECKPOINT).is_file()
    assert not is_done(tmp_path / endless.name)


def test_a_run_that_is_killed_after_its_time_is_not_said_to_be_saved(attend, short, monkeypatch):
    def deaf(*_):
        time.sleep(60)

    def fails_while_it_saves(*_):
        saving.STOP.wait()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(worker, "train", fails_while_it_saves)
    assert attend(short, Limits(seconds=0.1)).code == FULL
    monkeypatch.setattr(forking, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(worker, "train", deaf)
    outcome = attend(short, Limits(seconds=0.1))
    assert (outcome.code, outcome.reason) == (TIME, "it took over 0.1 seconds")


def test_a_limit_that_limits_nothing_or_leaves_nothing_is_refused():
    for number in (-1.0, 0.0, float("nan"), float("inf")):
        with pytest.raises(WrongUse, match=r"^--time-limit must be above 0 and finite"):
            Limits(seconds=number)
        with pytest.raises(WrongUse, match=r"^--memory-limit must be above 0 and finite"):
            Limits(gibibytes=number)


def test_a_run_over_its_memory_is_ended_and_named(attend, short):
    outcome = attend(dataclasses.replace(short, steps=10**7), Limits(gibibytes=0.05))
    assert outcome.code == MEMORY
    assert "GiB of memory, over the limit of 0.05; raise it" in outcome.reason


def test_every_fault_has_its_code_and_a_reason_in_one_line(attend, short, tmp_path, monkeypatch):
    untrained = dataclasses.replace(short, steps=0)

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        outcome = attend(untrained)
    assert (outcome.code, outcome.reason) == (
        FULL,
        "the disk is full (No space left on device): make room",
    )
    left = [path.name for path in (tmp_path / untrained.name).iterdir()]
    assert [name for name in left if name.endswith(".tmp")] == [], "no half of a file"
    with locked(tmp_path / untrained.name):
        outcome = attend(untrained)
        assert outcome.code == BUSY
        assert "another process is writing" in outcome.reason

    def over_quota(**_):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with monkeypatch.context() as patch:
        patch.setattr(lease, "TemporaryFile", over_quota)
        outcome = attend(untrained)
    assert (outcome.code, outcome.reason) == (
        FULL,
        "the disk is full (Disk quota exceeded): make room",
    )
    other = Order(tmp_path, "another-name", untrained.to_json())
    outcome = forking.attend(other, worker.work, os.getppid(), forking.Stopping())
    assert outcome.code == HOPELESS
    assert "the source of the run has changed since the command began" in outcome.reason
    (tmp_path / untrained.name / PROGRESS).mkdir()
    assert "is a link, a pipe or a folder" in attend(untrained).reason
    (tmp_path / untrained.name / PROGRESS).rmdir()
    for fault, code in ((KeyError("odd"), FAILED), (SystemExit(7), FAILED)):
        with monkeypatch.context() as patch:
            patch.setattr(worker, "train", lambda *_, fault=fault: (_ for _ in ()).throw(fault))
            assert attend(untrained).code == code
    with monkeypatch.context() as patch:
        patch.setattr(worker, "train", warn_and_be_killed)
        outcome = attend(untrained)
    assert (outcome.code, outcome.reason) == (-9, "killed (exit code -9)")
    outcome = attend(untrained)
    assert (outcome.code, outcome.warning) == (DONE, ""), "all is mended by the same command"
    assert is_done(tmp_path / untrained.name)


def test_what_a_run_warns_of_is_told_and_noise_is_not(attend, short, monkeypatch):
    monkeypatch.setattr(worker, "train", warn)
    assert attend(short).warning == "the checkpoint is damaged"
    monkeypatch.setattr(worker, "train", lambda *_: print("only noise", file=sys.stderr))
    assert attend(short).warning == ""


def warn(*_):
    print("noise", file=sys.stderr)
    for _ in range(2):
        warnings.warn("the checkpoint is damaged", stacklevel=1)


def warn_and_be_killed(*_):
    print("a warning, which is not why", file=sys.stderr)
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_every_run_needs_is_there_before_the_first_fork(tmp_path, tiny):
    """A worker that imports or parses half of the package takes a second for each run."""
    code = """
        import sys
        from metalocus.experiments.runs import source
        from metalocus.experiments.runs.config import RunConfig
        from metalocus.experiments.sweeps import worker
        from metalocus.experiments.sweeps.order import Order
        from pathlib import Path

        worker.prepare()
        modules, parsed = set(sys.modules), source._read.cache_info().misses
        config = RunConfig.from_json(sys.argv[1])
        found = worker.work(Order(Path(sys.argv[2]), config.name, sys.argv[1]))
        print(found[0], source._read.cache_info().misses - parsed)
        print(*sorted(name for name in set(sys.modules) - modules if "metalocus" in name))
    """
    config = dataclasses.replace(tiny, steps=0, agent="mlp").to_json()
    command = [sys.executable, "-c", textwrap.dedent(code), config, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    numbers, imported = done.stdout.splitlines()
    code, parsed = map(int, numbers.split())
    assert (code, imported) == (DONE, "")
    assert parsed <= 10, "but what the agent, its cell, the task and the trainer are made of"


def test_a_worker_that_talks_without_end_does_not_block(attend, short, monkeypatch):
    def talk(*_):
        for _ in range(2000):
            sys.stderr.write("x" * 200 + "\n")
        raise KeyError("last words")

    monkeypatch.setattr(worker, "train", talk)
    assert attend(dataclasses.replace(short, steps=0)).reason == "KeyError: 'last words'"


def test_a_worker_that_is_asked_to_stop_saves_its_run(attend, short, tmp_path, monkeypatch):
    short = dataclasses.replace(short, steps=800)
    monkeypatch.setattr(worker, "train", asked_after_the_first_report)
    monkeypatch.setattr(monitor, "REPORT_SECONDS", -1.0)
    outcome = attend(short)
    assert outcome.code == STOPPED
    monkeypatch.undo()
    whole = train(short, tmp_path / "whole")
    assert (tmp_path / short.name / CHECKPOINT).is_file()
    train(short, tmp_path)
    assert load_manifest(tmp_path / short.name)["sha256"] == load_manifest(whole)["sha256"]
    assert not saving.STOP.is_set()


def asked_after_the_first_report(config, out, report):
    """Train, and send this process the signal of a time limit on the way."""

    def told(progress):
        report(progress)
        os.kill(os.getpid(), signal.SIGTERM)

    return train(config, out, told)


def test_kills_at_random_moments_cost_nothing(tmp_path):
    """The bounded form of `metalocus soak`."""
    found = soak.soak(tmp_path / "soak", kills=16, seed=1, runs=2)
    assert found.kills_in_writes == 8
    assert found.kills_of_drivers + found.kills_of_servers + found.kills_of_workers == 8
    assert found.good, found
    assert len(soak_lines(found)) == len(found.to_dict())
    with pytest.raises(WrongUse, match="is not empty; choose another --out"):
        soak.soak(tmp_path / "soak", 2)


def test_the_soak_finds_what_it_looks_for(tmp_path, short):
    """A lock that lets everybody in, a file that is unpickled, a run that is gone."""
    folder = tmp_path / "runs" / short.name
    folder.mkdir(parents=True)
    (folder / soak.AUDIT).write_text("1\n1\n2\n2\n1\n")
    assert soak._double_writers(tmp_path / "runs") == 1
    (folder / soak.AUDIT).write_text("1\n1\n2\n2\n3\n")
    assert soak._double_writers(tmp_path / "runs") == 0
    pickle.loads(soak._payload(tmp_path / "payload"))
    assert (tmp_path / "payload").exists()
    found, finished = soak.Soaked(), {short.name: "a digest"}
    soak._require_kept(tmp_path / "runs", [short], finished, found)
    assert (found.finished_runs_lost, found.good) == (1, False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(soak, "write_tensors", torn)
        for _ in range(3):
            soak._kill_a_writer(tmp_path / "torn", soak.random.Random(5), found)
    assert found.torn_files > 0


def test_every_file_that_is_tampered_with_counts_once_and_is_refused(tmp_path, short, monkeypatch):
    """A finished run that was killed before it removed its checkpoints has all files there are."""
    config = dataclasses.replace(short, steps=0)
    with soak._quick(tmp_path):
        whole = soak._made(tmp_path / "runs", [config])
    folder, found = tmp_path / "runs" / config.name, soak.Soaked()
    for name in (CHECKPOINT, BEFORE, PROGRESS):
        (folder / name).write_bytes(b"left over")
    before = {name: (folder / name).read_bytes() for name in soak.TAMPERED}
    for name in soak.TAMPERED:
        monkeypatch.setattr(soak, "TAMPERED", (name,))
        soak._tamper(tmp_path / "runs", tmp_path, [config], whole, soak.random.Random(0), found)
        assert found.tampered_files == found.tampered_files_refused, name
    assert found.tampered_files == len(before) == 7
    assert {name: (folder / name).read_bytes() for name in before} == before
    monkeypatch.setattr(soak, "sweep", lambda *_: None)
    others = {config.name: "the weights of another run"}
    soak._tamper(tmp_path / "runs", tmp_path, [config], others, soak.random.Random(0), found)
    assert not found.good, "a wrong run was taken for a good one"


def torn(path, *_):
    path.write_bytes(b"half")
    time.sleep(0.2)


def test_a_run_from_elsewhere_is_placed_whole_and_nowhere_else(finished, tiny, tmp_path):
    brought = {p.name: p.read_bytes() for p in finished.iterdir() if p.name[0] != "."}
    order = Order(tmp_path / "here", tiny.name, tiny.to_json())
    for name in ("../evil", "/tmp/evil", "a/b", ".lock.1", "evil.py", "events.out.tfevents./../x"):
        with pytest.raises(Corrupt, match="is no file of a run; it is not written"):
            place(order, {**brought, name: b"evil"})
        assert not order.folder.exists()
    for name in (WEIGHTS, META, RESULTS, CONFIG, MANIFEST):
        with pytest.raises(Corrupt, match=r"damaged|another run"):
            place(order, {**brought, name: brought[name][:-9] + b"tampered}"})
        assert not order.folder.exists()
    place(order, brought)
    assert is_done(order.folder)
    written = {path.name: path.stat().st_mtime_ns for path in order.folder.iterdir()}
    place(order, {**brought, "events.out.tfevents.new": b"new"})
    left = {path.name: path.stat().st_mtime_ns for path in order.folder.iterdir()}
    assert left.keys() - written.keys() == {f"{LOCK}.2"}, "a finished run is left as it is"
    assert {name: left[name] for name in brought} == {name: written[name] for name in brought}


def test_a_run_from_elsewhere_that_cannot_be_placed_ends_no_sweep(
    finished, tiny, tmp_path, monkeypatch
):
    """By Ray without a shared folder: each has the code that a worker here would give."""
    brought = {p.name: p.read_bytes() for p in finished.iterdir() if p.name[0] != "."}
    order = Order(tmp_path, tiny.name, tiny.to_json())
    ray = SimpleNamespace(
        get=lambda files: (asdict(Outcome(DONE)), files),
        exceptions=SimpleNamespace(RayError=ZeroDivisionError),
    )
    by = Ray.__new__(Ray)
    by.ray = ray

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with locked(order.folder):
        assert by._outcome(order, brought).code == BUSY
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        assert by._outcome(order, brought).code == FULL
    assert by._outcome(order, {**brought, "evil.py": b""}).code == HOPELESS
    assert by._outcome(order, brought).code == DONE
    assert is_done(order.folder)


DRIVER = """
import sys, time
from metalocus.experiments.sweeps.client import ForkServer
from metalocus.experiments.sweeps.order import Order
server = ForkServer()
for line in sys.stdin:
    process = server._process()
    print(process.pid, flush=True)
    print(server.attend(Order.from_line(line)).code, flush=True)
"""


def test_a_real_server_imports_nothing_from_here_and_ends_with_its_driver(
    short, tmp_path, monkeypatch
):
    """One driver makes two runs in turn; it is killed in the middle of the second."""
    planted = tmp_path / "planted"
    (planted / "joblib").mkdir(parents=True)
    for name in ("secrets", "scipy", "joblib/__init__", "numpy", "torch", "json", "signal", "rich"):
        mark = planted / f"{name.split('/')[0]}.ran"
        (planted / f"{name}.py").write_text(f"open({str(mark)!r}, 'w')\nraise SystemExit(2)\n")
    first = dataclasses.replace(short, steps=0)
    endless = dataclasses.replace(short, steps=10**8)
    lines = [Order(tmp_path, each.name, each.to_json()).to_line() for each in (first, endless)]
    with subprocess.Popen(
        [sys.executable, "-P", "-c", textwrap.dedent(DRIVER)],
        cwd=planted,
        env={**os.environ, **ENVIRONMENT},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as driver:
        pids = []
        for line in lines:
            driver.stdin.write(f"{line}\n")
            driver.stdin.flush()
            pids.append(int(driver.stdout.readline()))
            if line == lines[0]:
                assert driver.stdout.readline() == f"{DONE}\n"
        assert pids[0] == pids[1], "one server for both"
        eventually((tmp_path / endless.name / PROGRESS).is_file)
        family = soak._descendants(driver.pid)
        assert sorted(family.values()) == [0, 1, 2]
        for pid, depth in family.items():
            if depth:
                os.kill(pid, signal.SIGINT)  # a terminal's Ctrl-C reaches them too
        time.sleep(0.2)
        assert all(soak._alive(pid) for pid in family)
        driver.kill()
    eventually(lambda: not any(soak._alive(pid) for pid in family))
    assert list(planted.glob("*.ran")) == []
    with locked(tmp_path / endless.name):
        assert not is_done(tmp_path / endless.name)


def test_a_server_without_its_driver_does_nothing(tmp_path, tiny):
    order = Order(tmp_path, tiny.name, tiny.to_json())
    command = [sys.executable, "-m", client.SERVER, "1"]
    done = subprocess.run(command, input=order.to_line().encode(), capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (ORPHANED, b"", b"")
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_cannot_import_what_it_needs_says_so_to_every_order(tmp_path, tiny):
    line, said = Order(tmp_path, tiny.name, tiny.to_json()).to_line(), "mine.py cannot be loaded"

    def imported():
        raise InvalidTask(said)

    def serve():
        orders = io.BytesIO(f"{line}\n{line}\n".encode())
        with (tmp_path / "answers").open("w") as answers:
            forking.serve(os.getppid(), orders, answers, imported)

    os.waitpid(soak._forked(serve), 0)
    answers = [json.loads(each) for each in (tmp_path / "answers").read_text().splitlines()]
    assert [(each["code"], each["said"]) for each in answers] == [(HOPELESS, said)] * 2


def test_an_interrupted_sweep_trains_no_longer(short, tmp_path, brief, monkeypatch):
    """As in a notebook, where the process of the sweep lives on."""
    configs = [dataclasses.replace(short, steps=10**8, seed=seed) for seed in (1, 2, 3)]
    by, family = soak._Forked(2), {}
    others = set(soak._descendants(os.getpid()))  # of other tests in this process

    def interrupted(seconds):
        eventually(lambda: len(list(tmp_path.glob(f"*/{PROGRESS}"))) == 2)
        family.update(soak._descendants(os.getpid()))
        raise KeyboardInterrupt

    monkeypatch.setattr(by, "ended", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweep(configs, tmp_path, by)
    ours = set(family) - others - {os.getpid()}
    assert len(ours) >= 4
    assert not any(soak._alive(pid) for pid in ours)
    saved = [(tmp_path / config.name / CHECKPOINT).is_file() for config in configs]
    assert sorted(saved) == [False, True, True], "what was in work is saved, nothing else begun"


def eventually(condition, seconds=60.0):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
