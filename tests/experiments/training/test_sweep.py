"""Many runs: what is done is skipped, what is killed is tried again, what fails is named."""

import dataclasses
import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from threading import Thread, active_count

import pytest

from metalocus.agents.ppo.files import Corrupt
from metalocus.envs import InvalidTask
from metalocus.experiments.display import LOG
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.runs.folder import CHECKPOINT, PROGRESS, WEIGHTS, Busy, locked
from metalocus.experiments.runs.records import is_done, load_manifest
from metalocus.experiments.runs.results import Measurement, read_results, write_results
from metalocus.experiments.training import monitor, processes, sweep, worker
from metalocus.experiments.training.train import train

RunFailed = sweep.RunFailed


@pytest.fixture
def workers(monkeypatch, brief):
    """Workers in this process: each start takes the next planned exit code and last words."""
    monkeypatch.setattr(sweep, "POLL_SECONDS", 0.01)
    plans, started = {}, []

    def work(crew, config):
        started.append(config.name)
        code, said = plans[config.name].pop(0) if plans.get(config.name) else (0, "")
        if code is None:
            raise OSError(11, said)
        if code == 0 and said != "nothing done":
            train(config, crew.out)
        return code, said.encode()

    monkeypatch.setattr(sweep.Crew, "_work", work)
    return plans, started


@pytest.fixture
def untrained(tiny):
    """Three runs that take next to no time."""
    return [dataclasses.replace(tiny, steps=0, agent="mlp", seed=seed) for seed in range(3)]


def test_every_run_is_made_once(workers, untrained, tmp_path):
    _, started = workers
    folders = sweep.sweep([*untrained, untrained[0]], tmp_path, workers=1)
    assert folders == {config.name: tmp_path / config.name for config in untrained}
    assert sorted(started) == sorted(folders)
    assert all(is_done(folder) for folder in folders.values())
    assert sweep.sweep(untrained, tmp_path) == folders
    assert len(started) == 3, "runs that are done are skipped"
    (folders[untrained[1].name] / WEIGHTS).write_bytes(b"damaged")
    with pytest.raises(Corrupt, match=WEIGHTS):
        sweep.sweep([*untrained, dataclasses.replace(untrained[0], seed=9)], tmp_path)
    assert len(started) == 3, "nothing is started if a finished run is damaged"


def test_the_longest_run_is_started_first(workers, untrained, tmp_path):
    plans, started = workers
    longer = [dataclasses.replace(config, steps=10 * i) for i, config in enumerate(untrained)]
    plans |= {config.name: [(2, "stop")] for config in longer}
    with pytest.raises(RunFailed):
        sweep.sweep(longer, tmp_path, workers=1)
    assert started == [config.name for config in reversed(longer)]


def test_a_killed_worker_is_started_again(workers, untrained, tmp_path):
    plans, started = workers
    plans[untrained[1].name] = [(-9, ""), (-9, "")]
    sweep.sweep(untrained, tmp_path, workers=1)
    assert started.count(untrained[1].name) == 3
    assert is_done(tmp_path / untrained[1].name)


def test_a_run_that_fails_is_named_with_its_reason_and_how_to_go_on(workers, untrained, tmp_path):
    plans, started = workers
    name = untrained[1].name
    cases = (
        ([(-9, "")] * 3, 3, "killed (exit code -9)"),
        ([(1, "Traceback\n  line\nOSError: no space left")] * 3, 3, "OSError: no space left"),
        ([(2, "the checkpoint is corrupt; delete it\n")], 1, "the checkpoint is corrupt;"),
        ([(0, "nothing done")], 1, "its worker left it unfinished"),
        ([(None, "out of processes")], 1, "could not be started ([Errno 11] out of processes)"),
    )
    for plan, starts, reason in cases:
        plans[name] = list(plan)
        started.clear()
        with pytest.raises(RunFailed) as raised:
            sweep.sweep(untrained, tmp_path, workers=1)
        done = [is_done(tmp_path / config.name) for config in untrained]
        assert done == [True, False, True], "the others are finished"
        message = str(raised.value)
        assert started.count(name) == starts, reason
        assert message.startswith(f"{name} failed: ")
        assert message.endswith("; repeat the command to continue")
        assert reason in message
        assert len(message.splitlines()) == 1


def test_several_failures_are_counted_and_each_line_has_its_reason(
    workers, untrained, tmp_path, caplog
):
    plans, _ = workers
    plans |= {config.name: [(2, f"no {config.seed}")] for config in untrained[:2]}
    with (
        caplog.at_level("INFO", "metalocus"),
        pytest.raises(RunFailed, match=r"failed: no \d \(2 runs failed\); repeat"),
    ):
        sweep.sweep(untrained, tmp_path, workers=1)
    lines = [line for line in caplog.messages if " of 3 runs, " in line]
    assert len(lines) == 3
    for config in untrained:
        (line,) = (line for line in lines if config.name in line)
        assert (f"FAILED: no {config.seed}" in line) == (config in untrained[:2])
        assert ("FAILED" in line) == (config in untrained[:2])
    assert is_done(tmp_path / untrained[2].name)


def test_nothing_is_started_if_one_config_or_the_place_is_impossible(workers, untrained, tmp_path):
    _, started = workers
    with pytest.raises(InvalidTask, match="unknown agent"):
        sweep.sweep([*untrained, dataclasses.replace(untrained[0], agent="nobody")], tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(WrongUse, match=r"cannot write in .+ \(it is a file\)"):
        sweep.sweep(untrained, tmp_path / "file")
    assert started == []


def work(monkeypatch, config, out, name=None):
    """Run the worker's main function in this process: exit code and last words."""
    said = io.TextIOWrapper(io.BytesIO())
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["worker", str(out), "1", name or config.name])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(config.to_json().encode())))
        patch.setattr(sys, "stderr", said)
        patch.setattr(worker, "begin_child", lambda driver: None)
        patch.setattr(LOG, "handlers", [])  # of commands that ran in this process before
        return worker.main(), said.buffer.getvalue().decode()


def test_a_worker_says_when_trying_again_is_of_no_use(monkeypatch, brief, untrained, tmp_path):
    config = untrained[0]

    def hopeless(words, name=None):
        code, said = work(monkeypatch, config, tmp_path, name)
        assert (code, said.count("\n")) == (worker.HOPELESS, 1)
        assert words in said

    hopeless("the source of the run has changed since the command began", untrained[1].name)
    with locked(tmp_path / config.name):
        hopeless("another process is writing")
    (tmp_path / config.name / CHECKPOINT).write_bytes(b"torn")
    hopeless(CHECKPOINT)
    (tmp_path / config.name / CHECKPOINT).unlink()
    (tmp_path / config.name / PROGRESS).mkdir()
    hopeless("is a link, a pipe or a folder")
    (tmp_path / config.name / PROGRESS).rmdir()
    assert work(monkeypatch, config, tmp_path) == (0, "")
    assert is_done(tmp_path / config.name)


def eventually(condition, seconds=60.0):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def ended(pid):
    """Whether a process is gone, or a zombie that nobody waits for."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def ignores_interrupts(pid):
    """Whether a process has told the system to keep SIGINT from it."""
    with open(f"/proc/{pid}/status") as file:
        (ignored,) = (line.split()[1] for line in file if line.startswith("SigIgn:"))
    return int(ignored, 16) >> (signal.SIGINT - 1) & 1 == 1


def is_free(folder):
    try:
        with locked(folder):
            return True
    except Busy:
        return False


def test_a_worker_without_its_driver_does_nothing(tmp_path, tiny):
    command = [sys.executable, "-m", sweep.WORKER, tmp_path, "1", tiny.name]
    done = subprocess.run(command, input=tiny.to_json(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (processes.ORPHANED, "")
    assert list(tmp_path.iterdir()) == []


def test_a_worker_leaves_an_interrupt_to_its_driver_and_ends_with_one_killed_at_once(tmp_path):
    """Long before the worker has imported what it trains with."""
    driver = """
        import os, subprocess, sys, time
        command = [sys.executable, "-m", "metalocus.experiments.training.worker", sys.argv[1]]
        worker = subprocess.Popen([*command, str(os.getpid()), "name"])
        print(worker.pid, flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(driver), tmp_path]
    pipe = subprocess.PIPE  # both wait for what is never written to it
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        pid = int(process.stdout.readline())
        eventually(lambda: ignores_interrupts(pid))
        os.kill(pid, signal.SIGINT)  # a terminal's Ctrl-C reaches the workers too
        time.sleep(0.3)
        assert not ended(pid)
        process.kill()
        eventually(lambda: ended(pid), seconds=5)


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """The current folder has files that a child must not import; each would leave a mark."""
    folder = tmp_path / "planted"
    (folder / "joblib").mkdir(parents=True)
    for name in ("secrets", "scipy", "joblib/__init__", "numpy", "torch", "json", "signal", "rich"):
        mark = folder / f"{name.split('/')[0]}.ran"
        (folder / f"{name}.py").write_text(f"open({str(mark)!r}, 'w')\nraise SystemExit(2)\n")
    monkeypatch.chdir(folder)
    yield folder
    assert list(folder.glob("*.ran")) == []


DRIVER = """
import os, subprocess, sys, time
command = [sys.executable, "-m", sys.argv[1], sys.argv[2], str(os.getpid()), sys.argv[3]]
worker = subprocess.Popen(command, stdin=subprocess.PIPE)
worker.stdin.write(sys.argv[4].encode())
worker.stdin.close()
print(worker.pid, flush=True)
time.sleep(600)
"""
"""Starts a worker as a sweep does; of all that a killed driver leaves, only its worker counts."""


def test_killed_drivers_and_workers_cost_nothing(monkeypatch, brief, planted, tiny, tmp_path):
    """A driver is killed in the middle of a run, then the run's next worker, and it is finished."""
    config = dataclasses.replace(tiny, agent="mlp", steps=6_000, n_envs=16)
    folder = tmp_path / config.name
    with monkeypatch.context() as patch:
        patch.setattr(monitor, "CHECKPOINT_SECONDS", -1.0)
        patch.setattr(monitor, "REPORT_SECONDS", -1.0)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path, interrupt_after(400))
    marker = Measurement(0, "marker", 1.0)  # a run that begins anew would not keep it
    write_results(folder, config.name, [marker, *read_results(folder, config.name)])

    arguments = (sweep.WORKER, tmp_path, config.name, config.to_json())
    with subprocess.Popen(
        [sys.executable, "-P", "-c", DRIVER, *arguments],
        env={**os.environ, **processes.ENVIRONMENT},
        stdout=subprocess.PIPE,
    ) as driver:
        pid = int(driver.stdout.readline())
        eventually((folder / PROGRESS).is_file)
        assert not is_free(folder)
        driver.kill()
    eventually(lambda: is_free(folder), seconds=5)
    eventually(lambda: ended(pid), seconds=5)
    assert not is_done(folder)

    pids = recorded_pids(monkeypatch)
    watcher = Killer(pids)
    watcher.start()
    sweep.sweep([config], tmp_path)
    watcher.join()
    assert len(pids) == 2
    assert load_manifest(folder)["steps"] >= 6_000
    assert marker in read_results(folder, config.name)
    whole = train(config, tmp_path / "whole")
    assert load_manifest(folder)["sha256"] == load_manifest(whole)["sha256"]


ENDLESS = """
import sys, time
from pathlib import Path
from metalocus.experiments.runs.folder import PROGRESS, locked
from metalocus.experiments.training.processes import begin_child

begin_child(int(sys.argv[2]))
with locked(Path(sys.argv[1], sys.argv[3])):
    Path(sys.argv[1], sys.argv[3], PROGRESS).write_text("")
    time.sleep(600)
"""
"""A worker that begins as all do, and has nothing to import that it would train with."""


def test_an_interrupted_sweep_trains_no_longer(monkeypatch, tiny, tmp_path):
    """As in a notebook, where the process of the sweep lives on."""
    (tmp_path / "endless.py").write_text(ENDLESS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(sweep, "WORKER", "endless")
    config = dataclasses.replace(tiny, agent="mlp", steps=10**9)
    folder, pids, threads = tmp_path / config.name, recorded_pids(monkeypatch), active_count()

    def interrupted(*_):
        eventually((folder / PROGRESS).is_file)
        assert ignores_interrupts(pids[0])
        os.kill(pids[0], signal.SIGINT)
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "_show", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweep.sweep([config, dataclasses.replace(config, seed=2)], tmp_path, workers=1)
    assert len(pids) == 1, "it is not tried again, and nothing else is begun"
    assert ended(pids[0])
    assert is_free(folder)
    assert active_count() == threads
    assert not is_done(folder)


def interrupt_after(steps):
    def report(now):
        if now.steps >= steps:
            raise KeyboardInterrupt

    return report


def recorded_pids(monkeypatch):
    """Process ids of everything started from now on."""
    pids = []

    class Recorded(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            pids.append(self.pid)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    return pids


class Killer(Thread):
    """Kills the first process as soon as there is one."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.pids = pids

    def run(self):
        eventually(lambda: self.pids)
        os.kill(self.pids[0], signal.SIGKILL)
