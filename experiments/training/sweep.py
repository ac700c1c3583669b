"""Many training runs at once, each in a process of its own, with progress on the terminal.

One subprocess a run survives a killed worker on every joblib backend; results are read
from the run directories, never from return values.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from threading import Thread

import joblib
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.folder import is_done, read_progress

ATTEMPTS = 3
POLL_SECONDS = 0.5
HOPELESS = 2
"""A worker's exit code when trying again is of no use."""


class RunFailed(RuntimeError):
    """A run that could not be made; the message says which, why, and how to go on."""


def sweep(configs: Iterable[RunConfig], out: Path, workers: int | None = None) -> dict[str, Path]:
    """Make every run that is not done yet under ``out``; folders by run name.

    Args:
        configs: the runs; equal ones are made once.
        out: folder of runs.
        workers: processes at once; None for one a core.

    Raises:
        RunFailed: after all others are finished.
    """
    wanted = {config.name: config for config in configs}
    for config in wanted.values():
        config.check()
    missing = [config for name, config in wanted.items() if not is_done(out / name)]
    missing.sort(key=lambda config: -config.steps)  # long runs first leave no idle core at the end
    failures: dict[str, str] = {}

    def work() -> None:
        jobs = (joblib.delayed(_attempt)(config, out, failures) for config in missing)
        joblib.Parallel(n_jobs=workers or os.cpu_count() or 1, backend="threading")(jobs)

    thread = Thread(target=work, daemon=True)
    thread.start()
    _show(missing, out, thread, len(wanted))
    for name in wanted:
        if not is_done(out / name):
            failures.setdefault(name, "its worker left it unfinished")
    if failures:
        name, reason = next(iter(failures.items()))
        more = f" ({len(failures)} runs failed)" if len(failures) > 1 else ""
        raise RunFailed(f"{name} failed: {reason}{more}; repeat the command to continue")
    return {name: out / name for name in wanted}


def _attempt(config: RunConfig, out: Path, failures: dict[str, str]) -> None:
    """Run a worker until it succeeds, at most ``ATTEMPTS`` times; it resumes where it was."""
    command = [
        sys.executable,
        "-m",
        "metalocus.experiments.training.worker",
        str(out),
        str(os.getpid()),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for _ in range(ATTEMPTS):
        try:
            done = subprocess.run(
                command, input=config.to_json(), capture_output=True, text=True, env=environment
            )
        except OSError as error:
            failures[config.name] = f"its worker could not be started ({error})"
            return
        if done.returncode == 0:
            failures.pop(config.name, None)
            return
        lines = done.stderr.strip().splitlines()
        failures[config.name] = lines[-1] if lines else f"killed (exit code {done.returncode})"
        if done.returncode == HOPELESS:
            return


def _show(missing: list[RunConfig], out: Path, thread: Thread, total: int) -> None:
    """Draw progress until the thread ends: one bar for all the steps, one for each live run."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    steps = sum(config.steps for config in missing)
    skipped = total - len(missing)
    console = Console(stderr=True)
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        overall = progress.add_task(f"{total} runs, {skipped} done before", total=max(steps, 1))
        bars: dict[str, TaskID] = {}
        while thread.is_alive():
            counts = [_draw(progress, bars, config, out) for config in missing]
            progress.update(overall, completed=sum(counts))
            time.sleep(POLL_SECONDS)


def _draw(progress: Progress, bars: dict[str, TaskID], config: RunConfig, out: Path) -> int:
    """Update one run's bar, present only while it runs; returns the steps it has done."""
    name = config.name
    if is_done(out / name):
        if name in bars:
            progress.remove_task(bars.pop(name))
        return config.steps
    done = read_progress(out / name)
    if done is None:
        return 0
    if name not in bars:
        bars[name] = progress.add_task(name, total=max(config.steps, 1))
    progress.update(bars[name], completed=done)
    return done
