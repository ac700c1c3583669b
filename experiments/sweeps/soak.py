"""Kills at random moments, files that were tampered with, and a count of what that has cost.

Half of the kills hit a process that writes the files of a run, the others the workers, fork servers
and drivers of a sweep, which is begun again after each. Every process is forked from this one, so
that no kill waits for imports; executors, fork servers, workers and leases are the real ones.
"""

from __future__ import annotations

import io
import os
import pickle
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import torch

from metalocus.agents.ppo.files import (
    Corrupt,
    read_record,
    read_tensors,
    write_record,
    write_tensors,
)
from metalocus.envs import Setting
from metalocus.experiments.display import LOG, Stage
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.folder import (
    BEFORE,
    CHECKPOINT,
    CONFIG,
    MANIFEST,
    PROGRESS,
    RESULTS,
    WEIGHTS,
)
from metalocus.experiments.folders.lease import require_writable
from metalocus.experiments.folders.progress import Progress
from metalocus.experiments.folders.results import Measurement, read_results, write_results
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.records import is_done, load_manifest
from metalocus.experiments.sweeps import client, worker
from metalocus.experiments.sweeps.executors.local import Local
from metalocus.experiments.sweeps.forking import serve
from metalocus.experiments.sweeps.journal import FOLDER
from metalocus.experiments.sweeps.order import RunFailed
from metalocus.experiments.sweeps.sweep import sweep
from metalocus.experiments.training import monitor

RUNS = 12
"""In the sweep that is killed."""
CONFIG_OF_RUNS = RunConfig(
    Setting("metalocus/BernoulliBandit-v0", n_arms=2, horizon=5), "mlp", 480, 0, 16
)
LONGEST_WRITES, LONGEST_SWEEP = 0.05, 1.0
"""Seconds before a kill at most: some writes take, and some runs."""
GONE_SECONDS = 5.0
"""After which a process that has lost its driver counts as an orphan."""
TAMPERED = (CHECKPOINT, BEFORE, WEIGHTS, CONFIG, MANIFEST, RESULTS, PROGRESS)
AUDIT, PAYLOAD = "audit", "payload"


@dataclass
class Soaked:
    """What was done, and what it cost.

    Attributes:
        kills_in_writes: of processes that wrote.
        torn_files: that were neither the old nor the new one afterwards.
        kills_of_workers: in sweeps.
        kills_of_servers: in sweeps.
        kills_of_drivers: in sweeps.
        tampered_files: that were put in place of good ones.
        tampered_files_refused: the sweep named the file, or the run came out right all the same:
            from the checkpoint before, or without what is left over from its training.
        finished_runs_lost: that were finished, and were not later.
        double_writers: processes that wrote in a run's folder while another one did.
        orphans: processes that outlived their driver.
        payloads_executed: of the files that were tampered with.
        runs_that_differ: from those of a sweep that nobody has disturbed, by their weights.
    """

    kills_in_writes: int = 0
    torn_files: int = 0
    kills_of_workers: int = 0
    kills_of_servers: int = 0
    kills_of_drivers: int = 0
    tampered_files: int = 0
    tampered_files_refused: int = 0
    finished_runs_lost: int = 0
    double_writers: int = 0
    orphans: int = 0
    payloads_executed: int = 0
    runs_that_differ: int = 0

    @property
    def good(self) -> bool:
        """Whether nothing was lost, done twice, left or executed."""
        bad = (self.torn_files, self.finished_runs_lost, self.double_writers, self.orphans)
        refused = self.tampered_files == self.tampered_files_refused
        return refused and not any((*bad, self.payloads_executed, self.runs_that_differ))

    def to_dict(self) -> dict[str, int]:
        """By name."""
        return asdict(self)


def soak(out: Path, kills: int, seed: int = 0, runs: int = RUNS) -> Soaked:
    """Kill and tamper, and count.

    Args:
        out: a new folder.
        kills: in all.
        seed: of moments and victims.
        runs: in the sweep.

    Raises:
        WrongUse: the folder holds something, or cannot be written.
    """
    if out.exists() and any(out.iterdir()):
        raise WrongUse(f"{out} is not empty; choose another --out")
    require_writable(out)
    worker.prepare()  # or every fork would import what a run needs
    rng, found = random.Random(seed), Soaked()
    with Stage("soak", kills, "kills") as stage:
        for _ in range(kills // 2):
            _kill_a_writer(out / "writes", rng, found)
            stage.count(1)
        with _quick(out):
            _kill_sweeps(out, kills - kills // 2, runs, rng, found, stage)
    found.payloads_executed = len(list(out.glob(f"{PAYLOAD}*")))
    return found


def _kill_a_writer(folder: Path, rng: random.Random, found: Soaked) -> None:
    """Kill a process somewhere in its writes; every file is then whole, of one version."""
    folder.mkdir(exist_ok=True)

    def write() -> None:
        for number in range(10**6):
            tensors = {"x": torch.full((20_000,), float(number))}
            write_tensors(folder / CHECKPOINT, tensors, {"number": number})
            write_record(folder / MANIFEST, {"number": number, "text": "x" * 5000})
            rows = [Measurement(step, "metric", float(number)) for step in range(50)]
            write_results(folder, "run", rows)

    pid = _forked(write)
    time.sleep(rng.uniform(0.0, LONGEST_WRITES))
    _kill(pid)
    os.waitpid(pid, 0)
    found.kills_in_writes += 1
    readers: dict[str, Callable[[], Any]] = {
        CHECKPOINT: lambda: read_tensors(folder / CHECKPOINT),
        MANIFEST: lambda: read_record(folder / MANIFEST, ""),
        RESULTS: lambda: read_results(folder, "run"),
    }
    for name, read in readers.items():
        if (folder / name).exists():
            try:
                read()
            except Corrupt:
                found.torn_files += 1


def _kill_sweeps(
    out: Path, kills: int, runs: int, rng: random.Random, found: Soaked, stage: Stage
) -> None:
    """Kill parts of sweeps, each of which is made to its end; compare with undisturbed ones."""
    whole = _made(out / "whole", _configs(0, runs))
    done, number = 0, 0
    while done < kills:
        configs = _configs(0, runs)
        folder = out / f"sweep-{number}"
        number += 1
        finished: dict[str, str] = {}
        while done < kills and len(finished) < runs:
            done += 1
            _kill_part_of_a_sweep(folder, configs, rng, found)
            stage.count(1)
            _require_kept(folder, configs, finished, found)
            if rng.random() < 0.4:
                _tamper(folder, out, configs, whole, rng, found)
        made = _made(folder, configs)
        found.runs_that_differ += sum(made.get(name) != digest for name, digest in whole.items())
        _require_kept(folder, configs, finished, found)
        found.double_writers += _double_writers(folder)


def _kill_part_of_a_sweep(
    folder: Path, configs: Sequence[RunConfig], rng: random.Random, found: Soaked
) -> None:
    """Begin a sweep, kill its driver, a server or a worker, and end the driver."""
    driver = _forked(lambda: _sweep(configs, folder))
    time.sleep(rng.uniform(0.0, LONGEST_SWEEP))
    family = _descendants(driver)
    depth = rng.choice([0, 1, 2, 2])
    victims = [pid for pid, at in family.items() if at == depth] or [driver]
    victim = rng.choice(victims)
    kind = ("drivers", "servers", "workers")[family.get(victim, 0)]
    _kill(victim)
    setattr(found, f"kills_of_{kind}", getattr(found, f"kills_of_{kind}") + 1)
    if victim != driver:
        time.sleep(rng.uniform(0.0, 0.3))
        family |= _descendants(driver)
        _kill(driver)
    os.waitpid(driver, 0)
    end = time.monotonic() + GONE_SECONDS
    left = set(family)
    while left and time.monotonic() < end:
        left = {pid for pid in left if _alive(pid)}
        time.sleep(0.01)
    found.orphans += len(left)
    for pid in left:
        _kill(pid)


def _require_kept(
    folder: Path, configs: Sequence[RunConfig], finished: dict[str, str], found: Soaked
) -> None:
    """Count runs that were finished and are no more; note those that are now."""
    for config in configs:
        there = folder / config.name
        try:
            digest = load_manifest(there)["sha256"] if is_done(there) else None
        except Corrupt:
            digest = None
        if finished.get(config.name) not in (None, digest):
            found.finished_runs_lost += 1
        if digest is not None:
            finished[config.name] = digest


def _tamper(
    folder: Path,
    out: Path,
    configs: Sequence[RunConfig],
    whole: dict[str, str],
    rng: random.Random,
    found: Soaked,
) -> None:
    """Put code in place of a file of a run; see that it is refused, and put the old one back."""
    config = rng.choice(configs)
    there = folder / config.name
    present = [name for name in TAMPERED if (there / name).is_file()]
    if not present:
        return
    name = rng.choice(present)
    before = (there / name).read_bytes()
    payload = _payload(out / f"{PAYLOAD}{found.tampered_files}")
    (there / name).write_bytes(payload)
    (folder / FOLDER / "by-nobody-1-x").mkdir(parents=True, exist_ok=True)
    (folder / FOLDER / "by-nobody-1-x" / "journal.jsonl").write_bytes(payload)
    found.tampered_files += 1
    try:
        sweep([config], folder, _Forked(1))
        refused = is_done(there) and load_manifest(there)["sha256"] == whole[config.name]
    except RunFailed as error:
        refused = str(there / name) in str(error)
    found.tampered_files_refused += refused
    if not refused:
        LOG.warning("a pickle in place of %s was not refused", there / name)
    if (there / name).exists() and (there / name).read_bytes() == payload:
        (there / name).write_bytes(before)


def _payload(mark: Path) -> bytes:
    """What makes a file if it is unpickled, with a text that makes one if it is imported."""

    class Opens:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(mark),)

    sink = io.BytesIO()
    pickle.dump(Opens(), sink)
    return sink.getvalue()


def _double_writers(folder: Path) -> int:
    """How often a process wrote in a run's folder before another one there had ended."""
    count = 0
    for file in folder.glob(f"*/{AUDIT}"):
        writers = file.read_text(encoding="ascii").split()
        order = list(dict.fromkeys(writers))
        blocks = [
            one for one, before in zip(writers, ["", *writers], strict=False) if one != before
        ]
        count += len(blocks) - len(order)
    return count


def _configs(first: int, number: int) -> list[RunConfig]:
    return [replace(CONFIG_OF_RUNS, seed=first + seed) for seed in range(number)]


def _made(folder: Path, configs: Sequence[RunConfig]) -> dict[str, str]:
    """Make all runs undisturbed; the SHA-256 of their weights."""
    with suppress(RunFailed):
        _sweep(configs, folder)
    done = [config.name for config in configs if is_done(folder / config.name)]
    return {name: load_manifest(folder / name)["sha256"] for name in done}


def _sweep(configs: Sequence[RunConfig], folder: Path) -> None:
    sweep(configs, folder, _Forked(2))


class _Forked(Local):
    """Local processes whose fork servers are forks of this one."""

    def _server(self) -> client.ForkServer:
        return _ForkedServer()


class _ForkedServer(client.ForkServer):
    """A fork server that has its imports from this process."""

    def start(self) -> Any:
        """As of :class:`~metalocus.experiments.sweeps.client.ForkServer`."""
        driver = os.getpid()
        orders, give = os.pipe()
        answers, tell = os.pipe()

        def be_server() -> None:
            os.close(give)
            os.close(answers)
            serve(driver, os.fdopen(orders, "rb"), os.fdopen(tell, "w", 1), lambda: worker.work)

        pid = _forked(be_server)
        os.close(orders)
        os.close(tell)
        return _Process(pid, os.fdopen(give, "wb"), os.fdopen(answers, "rb"))


class _Process:
    """What is asked of a process, for one that was forked."""

    def __init__(self, pid: int, stdin: io.BufferedWriter, stdout: io.BufferedReader) -> None:
        self.pid, self.stdin, self.stdout = pid, stdin, stdout
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float = 60.0) -> int:
        """Wait for the exit code."""
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("fork server", timeout)
            time.sleep(0.005)
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        """Ask it to end."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


@contextmanager
def _quick(out: Path) -> Iterator[None]:
    """Measurements of few episodes, a checkpoint and a line in the audit at every rollout."""
    settings = {"EPISODES": 16, "CHECKPOINT_SECONDS": 0.0, "REPORT_SECONDS": -1.0}
    before = {name: vars(monitor)[name] for name in settings}
    written, level = vars(worker)["write_progress"], LOG.level

    def audited(folder: Path, progress: Progress) -> None:
        file = os.open(folder / AUDIT, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(file, f"{os.getpid()}\n".encode())
        os.close(file)
        written(folder, progress)

    vars(monitor).update(settings)
    vars(worker)["write_progress"] = audited
    LOG.setLevel("WARNING")
    try:
        yield
    finally:
        vars(monitor).update(before)
        vars(worker)["write_progress"] = written
        LOG.setLevel(level)


def _forked(act: Callable[[], None]) -> int:
    """The process id of a fork of this process that acts and ends."""
    pid = os.fork()
    if pid == 0:
        _act(act)
    return pid


def _act(act: Callable[[], None]) -> NoReturn:
    code = 1
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        act()
        code = 0
    finally:
        os._exit(code)


def _descendants(pid: int) -> dict[int, int]:
    """A process and all that come from it, each with its distance."""
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError, IndexError):
                fields = (
                    Path("/proc", entry, "stat")
                    .read_text(encoding="latin-1")
                    .rpartition(")")[2]
                    .split()
                )
                parents[int(entry)] = int(fields[1])
    found = {pid: 0}
    for _ in range(4):
        found |= {
            child: found[parent] + 1
            for child, parent in parents.items()
            if parent in found and child not in found
        }
    return found


def _alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    with suppress(OSError, IndexError):
        return (
            Path("/proc", str(pid), "stat")
            .read_text(encoding="latin-1")
            .rpartition(")")[2]
            .split()[0]
            not in "ZX"
        )
    return False


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
