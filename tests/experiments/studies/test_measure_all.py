"""Measuring processes: they end with their driver, import nothing from the current folder, and
work is not begun that cannot be kept."""

import contextlib
import dataclasses
import errno
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

import metalocus
from metalocus.envs import InvalidTask
from metalocus.experiments.display import hush
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.studies import measure_all as studies
from metalocus.experiments.studies.measure_all import measure_all
from metalocus.experiments.studies.study import Study
from metalocus.experiments.sweeps.order import RunFailed


class Fatal(Study):
    """Kills the process that measures it, as a machine short of memory does."""

    name = "fatal"

    def runs(self, preset, seed):
        return {}

    def measure(self, agents, preset, seed):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_measurement_is_a_failed_run(smoke, tmp_path):
    with pytest.raises(RunFailed, match="was killed; repeat the command to go on"):
        measure_all([Fatal()], dataclasses.replace(smoke, seeds=1), tmp_path)


def test_what_is_damaged_is_measured_again_and_said(in_this_process, run, counted, smoke, capsys):
    hush()  # whatever ran before in this process
    out = run.parents[1]
    found = measure_all([counted], smoke, out)
    assert list(found) == ["counted"]
    assert list(found["counted"]) == [0, 1]
    assert measure_all([counted], smoke, out) == found
    assert (counted.times, capsys.readouterr().err) == (2, "")
    file = studies.Job.of(counted, smoke, 1, out).file
    file.write_bytes(file.read_bytes().replace(b"0.125", b"0.625"))
    assert measure_all([counted], smoke, out) == found
    assert counted.times == 3
    assert capsys.readouterr().err == f"{file} is missing or damaged; it is made again\n"


def test_a_dear_study_is_measured_at_its_own_number_of_seeds(
    in_this_process, run, counted, smoke, monkeypatch
):
    monkeypatch.setattr(type(counted), "most_seeds", 1)
    assert list(measure_all([counted], smoke, run.parents[1])["counted"]) == [0]
    more = dataclasses.replace(smoke, seeds=10)
    assert [counted.seeds(each) for each in (smoke, more)] == [range(1), range(1)]
    monkeypatch.setattr(type(counted), "most_seeds", 5)
    assert [counted.seeds(each) for each in (smoke, more)] == [range(2), range(5)]


def test_a_folder_that_cannot_be_written_is_refused_before_work_begins(
    counted, smoke, tmp_path, monkeypatch
):
    monkeypatch.setattr(studies, "sweep", None)
    file = tmp_path / "file"
    file.write_text("of the user")
    for folder in (file, file / "below"):
        with pytest.raises(WrongUse, match=r"cannot write in .*; choose another --out"):
            measure_all([counted], smoke, folder)
    assert file.read_text() == "of the user"

    def full(dir):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("metalocus.experiments.folders.lease.TemporaryFile", full)
    with pytest.raises(WrongUse, match=r"cannot write in .*\(No space left on device\)"):
        measure_all([counted], smoke, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


STUDY = """
import os, time
from pathlib import Path

from metalocus.experiments.studies.study import Study

class Slow(Study):
    name = "slow"

    def runs(self, preset, seed):
        return {}

    def measure(self, agents, preset, seed):
        import torch
        told = Path(os.environ["TOLD"], f"{os.getpid()}.tmp")
        told.write_text(f"{torch.get_num_threads()} thread, {os.environ['OMP_NUM_THREADS']}")
        told.rename(told.with_suffix(".pid"))
        time.sleep(600)
"""
DRIVER = """
from dataclasses import replace
from pathlib import Path
from slow import Slow
from metalocus.experiments.studies.measure_all import measure_all
from metalocus.experiments.studies.presets import PRESETS

if __name__ == "__main__":
    while True:
        try:
            measure_all([Slow()], replace(PRESETS["smoke"], seeds=1), Path("out"))
        except KeyboardInterrupt:
            print("interrupted", flush=True)
"""
PLANTED = "import os; open(os.path.join(os.environ['TOLD'], 'imported'), 'w').write(__file__)"
NAMES = ("secrets", "scipy", "random", "pickle", "torch", "joblib/__init__", "multiprocessing")


@pytest.fixture
def driver(tmp_path):
    """A process whose child measures for ten minutes, in a folder of misleading modules.

    Interrupted, it begins again. Gives the process, and the folder where its children tell their
    process ids.
    """
    there, here, told = (tmp_path / name for name in ("there", "here", "told"))
    for folder in (there, here / "joblib", told):
        folder.mkdir(parents=True)
    (there / "slow.py").write_text(STUDY)
    (there / "driver.py").write_text(DRIVER)
    for name in NAMES:
        (here / f"{name}.py").write_text(PLANTED)
    with (
        open(tmp_path / "said", "w") as said,
        subprocess.Popen(
            [sys.executable, there / "driver.py"],
            cwd=here,
            env={**os.environ, "TOLD": str(told)},
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=heed_interrupts,
        ) as process,
    ):
        try:
            yield process, told
            assert not (told / "imported").exists(), (told / "imported").read_text()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def begun(process, told, children):
    """The process id of the last of so many children, once it measures."""
    wait_until(lambda: len(list(told.glob("*.pid"))) == children or process.poll() is not None)
    assert process.poll() is None, (told.parent / "said").read_text()
    file = max(told.glob("*.pid"), key=lambda path: path.stat().st_mtime_ns)
    assert file.read_text() == "1 thread, 1"
    return int(file.stem)


def heed_interrupts():
    """As a process in the foreground does, wherever the tests run."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_until(condition, seconds=60):
    """Until the condition holds or the time is over; whether it holds."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def gone(pid):
    """Whether a process has ended, though perhaps nobody has waited for it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_measuring_process_ends_with_its_interrupted_or_killed_driver(driver):
    """Ctrl-C is sent to driver and child; SIGKILL to the driver alone.

    An interrupt is sent again after a while, as a person would: Python drops one that falls into a
    destructor.
    """
    process, told = driver
    said = told.parent / "said"
    pid = begun(process, told, 1)
    for _ in range(6):
        os.killpg(process.pid, signal.SIGINT)
        if wait_until(lambda: "interrupted\n" in said.read_text(), 15):
            break
    complaints = said.read_text().replace("interrupted\n", "", 1)
    assert complaints != said.read_text()
    assert "Traceback" not in complaints or "Exception ignored" in complaints, complaints
    assert wait_until(lambda: gone(pid))
    pid = begun(process, told, 2)
    assert not gone(pid)
    process.kill()
    assert wait_until(lambda: gone(pid))


def test_a_loaded_file_that_has_changed_since_is_refused_before_measuring(unload, smoke, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from metalocus.agents.references.generic.policies import Random\n"
        "class Mine(Random):\n    name = 'mine'\n"
    )
    metalocus.load(file)
    file.write_text("")
    with pytest.raises(InvalidTask, match=r"mine\.py has changed since it was loaded"):
        measure_all([Fatal()], dataclasses.replace(smoke, seeds=1), tmp_path / "out")


class Staged(Study):
    """Its runs begin with each other, so that none can be named before those are finished."""

    name = None

    def __init__(self, name, stages, finished):
        self.name, self.stages, self.finished = name, stages, finished

    def runs(self, preset, seed):
        return {"first": "first"}

    def later_runs(self, preset, seed, folder):
        for before, name in zip(["first", *self.stages], self.stages, strict=False):
            assert before in self.finished
            yield {name: name}


def test_a_stage_is_asked_for_once_the_one_before_is_trained(smoke, tmp_path, monkeypatch):
    swept = []
    monkeypatch.setattr(studies, "sweep", lambda runs, folder: swept.append(sorted(runs)))

    def measured(study, preset, seed, out):
        return types.SimpleNamespace(study=study, seed=seed, kept=lambda: {"x": 1.0})

    monkeypatch.setattr(studies.Job, "of", measured)

    class Done:
        def __contains__(self, name):
            return any(name in stage for stage in swept)

    both = [Staged("a", ["a2", "a3"], Done()), Staged("b", ["b2"], Done())]
    measure_all(both, dataclasses.replace(smoke, seeds=1), tmp_path)
    assert swept == [["first", "first"], ["a2", "b2"], ["a3"]]
