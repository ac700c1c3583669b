"""Many training runs at once, each in a process of its own, with progress on the terminal.

One subprocess a run survives a killed worker; results are read from the run directories, never
from return values.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Lock

import rich.progress
from rich.progress import TaskID

from metalocus.envs.discovery import loaded_files
from metalocus.experiments.display import LOG, Stage
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.folder import require_writable
from metalocus.experiments.runs.progress import read_progress
from metalocus.experiments.runs.records import is_done
from metalocus.experiments.training.processes import ENVIRONMENT, HOPELESS

ATTEMPTS = 3
POLL_SECONDS = 0.5
WORKER = "metalocus.experiments.training.worker"
Jobs = Mapping[Future[str | None], RunConfig]
"""What becomes of every run: the reason if it fails, else None."""


class RunFailed(RuntimeError):
    """A run that could not be made; the message says which, why, and how to go on."""


def sweep(configs: Iterable[RunConfig], out: Path, workers: int | None = None) -> dict[str, Path]:
    """Make every run that is not done yet under ``out``; folders by run name.

    An interrupt ends all workers; what they have saved is continued by the next call.

    Args:
        configs: the runs; equal ones are made once.
        out: folder of runs.
        workers: processes at once; None for one a core.

    Raises:
        InvalidTask: a config describes no run; none is begun.
        WrongUse: ``out`` cannot be written; none is begun.
        Corrupt: a finished run is damaged; none is begun.
        RunFailed: after all others are finished.
    """
    configs = list(configs)
    for config in configs:
        config.check()
    wanted = {config.name: config for config in configs}
    missing = [config for name, config in wanted.items() if not is_done(out / name)]
    if missing:
        require_writable(out)
    missing.sort(key=lambda config: -config.steps)  # long runs first leave no idle core at the end
    failures = _make(missing, out, workers or os.cpu_count() or 1, len(wanted))
    if failures:
        name, reason = next(iter(failures.items()))
        more = f" ({len(failures)} runs failed)" if len(failures) > 1 else ""
        raise RunFailed(f"{name} failed: {reason}{more}; repeat the command to continue")
    return {name: out / name for name in wanted}


def _make(missing: list[RunConfig], out: Path, workers: int, total: int) -> dict[str, str]:
    """Make runs; the reasons of those that failed, by name."""
    crew = Crew(out)
    with ThreadPoolExecutor(workers) as pool:
        jobs = {pool.submit(crew.make, config): config for config in missing}
        try:
            _show(jobs, out, total)
        except BaseException:
            crew.stop()
            pool.shutdown(cancel_futures=True)
            raise
    return {config.name: reason for job, config in jobs.items() if (reason := job.result())}


class Crew:
    """The processes that train, and their end.

    Args:
        out: folder of runs.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.stopped = False
        self.alive: set[subprocess.Popen[bytes]] = set()
        self.lock = Lock()

    def make(self, config: RunConfig) -> str | None:
        """Run a worker until it succeeds, at most ``ATTEMPTS`` times; it resumes where it was.

        Returns:
            Why it failed; None if it did not.
        """
        reason = None
        for _ in range(ATTEMPTS):
            try:
                code, said = self._work(config)
            except OSError as error:
                return f"its worker could not be started ({error})"
            if code == 0:
                return None if is_done(self.out / config.name) else "its worker left it unfinished"
            lines = said.decode("utf-8", "surrogateescape").strip().splitlines()
            reason = lines[-1] if lines else f"killed (exit code {code})"
            if code == HOPELESS:
                break
        return reason

    def stop(self) -> None:
        """End all processes, and start no more."""
        with self.lock:
            self.stopped = True
            for process in self.alive:
                process.terminate()

    def _work(self, config: RunConfig) -> tuple[int, bytes]:
        """Start a worker and wait for it; its exit code and last words."""
        own = (str(self.out), str(os.getpid()), config.name, *loaded_files())
        command = [sys.executable, "-m", WORKER, *own]
        pipe = subprocess.PIPE
        with self.lock:
            if self.stopped:
                return HOPELESS, b"interrupted"
            process = subprocess.Popen(
                command,
                stdin=pipe,
                stdout=subprocess.DEVNULL,
                stderr=pipe,
                env={**os.environ, **ENVIRONMENT},
            )
            self.alive.add(process)
        _, said = process.communicate(config.to_json().encode())
        with self.lock:
            self.alive.remove(process)
        return process.returncode, said


def _show(jobs: Jobs, out: Path, total: int) -> None:
    """Show progress until all is done.

    On a terminal one bar is for all the steps and one for each live run; elsewhere a line is
    written for each run that has ended.
    """
    steps, before = sum(config.steps for config in jobs.values()), total - len(jobs)
    if jobs:
        LOG.info("training: %s runs, %s done before, in %s", total, before, out)
    with Stage("training", steps, "runs") as stage:
        bars: dict[str, TaskID] = {}
        pending, ended = set(jobs), before
        while pending:
            now, pending = wait(pending, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            counts = [_draw(stage.progress, bars, job.done(), jobs[job], out) for job in jobs]
            stage.update(sum(counts))
            for job in now:
                ended += 1
                failed = f", FAILED: {job.result()}" if job.result() else ""
                stage.finished(f"{jobs[job].title} in {jobs[job].name}{failed}", ended, total)


def _draw(
    progress: rich.progress.Progress,
    bars: dict[str, TaskID],
    done: bool,
    config: RunConfig,
    out: Path,
) -> int:
    """Update one run's bar, present only while it runs; returns the steps it has done."""
    name = config.name
    if done:
        if name in bars:
            progress.remove_task(bars.pop(name))
        return config.steps
    found = read_progress(out / name)
    if found is None:
        return 0
    if name not in bars:
        bars[name] = progress.add_task("", total=max(config.steps, 1))
    said = ", ".join(part for part in (config.title, str(found)) if part)
    progress.update(bars[name], completed=found.steps, description=said)
    return found.steps
