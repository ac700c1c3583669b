"""Training what studies need, and measuring it at every seed in processes of their own."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import as_completed
from contextlib import contextmanager
from pathlib import Path

import torch
from joblib.externals.loky.process_executor import ProcessPoolExecutor, TerminatedWorkerError

from metalocus.agents.ppo.files import Corrupt
from metalocus.envs.checks import require
from metalocus.envs.discovery import load, loaded_files
from metalocus.experiments.display import Stage
from metalocus.experiments.runs.folder import require_writable
from metalocus.experiments.studies.job import RUNS, Job
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured, Study, require_measured
from metalocus.experiments.training.processes import ENVIRONMENT, begin_child
from metalocus.experiments.training.sweep import RunFailed, sweep

Found = dict[str, dict[int, Measured]]
"""What was measured, by study and training seed."""


def measure_all(studies: Iterable[Study], preset: Preset, out: Path) -> Found:
    """Train and measure for every seed; what is done already is taken from ``out``.

    Args:
        studies: what to measure.
        preset: seeds, steps and episodes.
        out: folder of runs and measurements.

    Raises:
        WrongUse: ``out`` cannot be written.
        RunFailed: see :func:`~metalocus.experiments.training.sweep.sweep`, or a measuring process
            was killed.
        NonFinite: a number that was measured is not finite.
    """
    require_writable(out)
    studies, seeds = list(studies), range(preset.seeds)
    configs = (run for each in studies for s in seeds for run in each.runs(preset, s).values())
    sweep(configs, out / RUNS)
    found: Found = {study.name: {} for study in studies}
    missing = []
    for each in [Job.of(study, preset, seed, out) for study in studies for seed in seeds]:
        try:
            found[each.study.name][each.seed] = each.kept()
        except Corrupt as error:
            missing.append(each)
            if each.file.exists():
                print(error, file=sys.stderr)
    _measure(missing, found)
    for name, by_seed in found.items():
        require_measured(name, by_seed)
    return {name: dict(sorted(by_seed.items())) for name, by_seed in found.items()}


def _measure(missing: Sequence[Job], found: Found) -> None:
    """Add to ``found`` what was not measured before, a process a core."""
    if not missing:
        return
    try:
        with _processes(min(os.cpu_count() or 1, len(missing))) as pool:
            with _interrupts_held_back():
                futures = {pool.submit(each.make): each for each in missing}
            with Stage("measuring", len(futures), "measurements") as stage:
                for count, future in enumerate(as_completed(futures), 1):
                    job = futures[future]
                    found[job.study.name][job.seed] = future.result()
                    stage.update(count)
                    stage.finished(f"{job.study.name} at seed {job.seed}", count, len(futures))
    except TerminatedWorkerError:
        raise RunFailed("a measuring process was killed; repeat the command to go on") from None


@contextmanager
def _processes(n: int) -> Generator[ProcessPoolExecutor]:
    """Processes that import nothing from the current folder, and end with the context."""
    with _environment(ENVIRONMENT):
        load(*loaded_files())  # refuses in one line what has changed since
        begun_with = (os.getpid(), loaded_files())
        pool = ProcessPoolExecutor(n, initializer=_begin, initargs=begun_with)
        try:
            yield pool
        except BaseException:
            pool.shutdown(kill_workers=True)
            raise
        pool.shutdown()


def _begin(driver: int, files: Mapping[str, str]) -> None:
    """First act of a measuring process: end with its driver; one thread, as in training.

    Args:
        driver: process id of the parent.
        files: what the driver has loaded, with SHA-256.

    Raises:
        InvalidTask: one of the files has changed since.
    """
    begin_child(driver)
    torch.set_num_threads(1)
    load(*files)
    changed = [file for file, sha256 in files.items() if loaded_files()[file] != sha256]
    require(not changed, f"{', '.join(changed)} changed since the command began")


@contextmanager
def _environment(variables: Mapping[str, str]) -> Generator[None]:
    """Environment variables for processes that are started in this context."""
    before = {name: os.environ[name] for name in variables if name in os.environ}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def _interrupts_held_back() -> Generator[None]:
    """Hold Ctrl-C back meanwhile; processes that are started here leave it to their driver."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
