"""Which executor is in use: whatever trains or measures much asks here."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from metalocus.envs.discovery import unknown
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.sweeps.executors.base import Executor
from metalocus.experiments.sweeps.executors.local import Local

Value = TypeVar("Value")
LOCAL, RAY, SLURM = NAMES = ("local", "ray", "slurm")
_CHOSEN: ContextVar[Executor | None] = ContextVar("executor", default=None)


def executor() -> Executor:
    """The executor of this context; processes on this machine if none was chosen."""
    return _CHOSEN.get() or Local()


@contextmanager
def executed_by(chosen: Executor) -> Generator[None]:
    """Whatever trains or measures much in this context does it by an executor."""
    token = _CHOSEN.set(chosen)
    try:
        yield
    finally:
        _CHOSEN.reset(token)


def executor_called(name: str, address: str | None = None, workers: int | None = None) -> Executor:
    """The executor of a name.

    Args:
        name: ``local``, ``ray`` or ``slurm``.
        address: of a Ray cluster; None for the one that the environment names, or a new one here.
        workers: runs at once; None for as many as there are cores, or jobs that Slurm may take.

    Raises:
        WrongUse: there is no such executor, its package is not installed, or an option is not its.
    """
    if name not in NAMES:
        raise WrongUse(unknown("executor", name, NAMES))
    if address is not None and name != RAY:
        raise WrongUse(f"--address is that of a Ray cluster; add --executor {RAY}")
    if workers is not None and workers < 1:
        raise WrongUse(f"--workers must be at least 1, got {workers}")
    if name == LOCAL:
        return Local(workers)
    if name == RAY:
        from metalocus.experiments.sweeps.executors.cluster import Ray

        return Ray(address, workers)
    from metalocus.experiments.sweeps.executors.slurm import Slurm

    return Slurm(workers)


def in_processes(tasks: Sequence[Callable[[], Value]]) -> Iterator[tuple[int, Value]]:
    """The number of every task with what it returns, in the order in which they end.

    Args:
        tasks: that can be pickled.

    Raises:
        RunFailed: a process was killed.
    """
    return executor().call(tasks) if tasks else iter(())
