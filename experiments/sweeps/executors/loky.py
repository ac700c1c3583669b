"""Measuring in processes of their own, a core each, which end with the one that began them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from contextlib import contextmanager
from typing import TypeVar

import torch
from joblib.externals.loky.process_executor import ProcessPoolExecutor, TerminatedWorkerError

from metalocus.envs.checks import require
from metalocus.envs.discovery import load, loaded_files
from metalocus.experiments.sweeps.order import RunFailed
from metalocus.experiments.sweeps.processes import ENVIRONMENT, begin_child

Value = TypeVar("Value")


def in_processes(tasks: Sequence[Callable[[], Value]], workers: int) -> Iterator[tuple[int, Value]]:
    """The number of every task with what it returns, in the order in which they end.

    Args:
        tasks: that can be pickled.
        workers: processes at once.

    Raises:
        RunFailed: a process was killed.
    """
    if not tasks:
        return
    try:
        with _processes(min(workers, len(tasks))) as pool:
            with _interrupts_held_back():
                futures = {pool.submit(task): number for number, task in enumerate(tasks)}
            for future in as_completed(futures):
                yield futures[future], future.result()
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
