"""A cluster that is shared by Slurm: one job an order, through submitit."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from metalocus.envs.discovery import load, loaded_files
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.sweeps.client import ForkServer
from metalocus.experiments.sweeps.executors.base import Executor
from metalocus.experiments.sweeps.order import LOST, Order, Outcome, RunFailed

Value = TypeVar("Value")
JOBS = 200
"""In Slurm's queue at once, if nothing else is said; larger sweeps take ``--shard``."""
POLL_SECONDS = 0.2
MINUTES = 60
"""A job's time limit; at its end, or when it is preempted, it is queued again and goes on."""
REQUEUES = 20
WAIT = 30.0
"""Seconds between a job's end and its result being seen on another machine, at most."""


class Attend:
    """An order as a job that can be queued again: it goes on from the run's checkpoint.

    Args:
        order: to be carried out.
        files: that are to be loaded from outside the package.
        starts: how often the job is begun, this time included.
    """

    def __init__(self, order: Order, files: tuple[str, ...], starts: int = 1) -> None:
        self.order, self.files, self.starts = order, files, starts

    def __call__(self) -> Outcome:
        """Have the order carried out on this machine."""
        return replace(ForkServer(self.files).attend(self.order), starts=self.starts)

    def checkpoint(self) -> Any:
        """What is queued in place of a job that has met its time limit or is preempted."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(Attend(self.order, self.files, self.starts + 1))


class Call:
    """A function as a job, with one thread.

    Args:
        task: the function.
        files: that are to be loaded from outside the package.
    """

    def __init__(self, task: Callable[[], Any], files: tuple[str, ...]) -> None:
        self.task, self.files = task, files

    def __call__(self) -> Any:
        """Call it."""
        import torch

        torch.set_num_threads(1)
        load(*self.files)
        return self.task()

    def checkpoint(self) -> Any:
        """It begins anew."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


class Slurm(Executor):
    """Jobs of Slurm, one core each. The runs' folder must be shared by all machines.

    submitit keeps its pickled jobs in a folder of this process alone, which is new, and readable
    and writable by this user only; none that was there before is read.

    Args:
        workers: jobs at once; None for ``JOBS``.
        cluster: ``slurm``, or ``local`` for submitit's own processes on this machine.
    """

    name = "slurm"

    def __init__(self, workers: int | None = None, cluster: str = "slurm") -> None:
        try:
            import submitit
        except ImportError:
            raise WrongUse(
                "submitit is not installed; `pip install metalocus[slurm]` installs it"
            ) from None
        self.submitit, self.cluster = submitit, cluster
        self.slots = workers or JOBS
        self.jobs: list[tuple[Any, Order, float | None]] = []
        self.executor: Any = None

    def begin(self, orders: Sequence[Order]) -> None:
        """As of :class:`Executor`."""
        self._connect()

    def submit(self, order: Order) -> None:
        """As of :class:`Executor`."""
        job = self.executor.submit(Attend(order, tuple(loaded_files())))
        self.jobs.append((job, order, None))

    def ended(self, seconds: float) -> list[tuple[Order, Outcome]]:
        """As of :class:`Executor`; jobs are asked one by one, since one failure is not all's."""
        end = time.monotonic() + seconds
        while True:
            found, left = [], []
            for job, order, gone in self.jobs:
                outcome, gone = self._outcome(job, gone)
                if outcome is None:
                    left.append((job, order, gone))
                else:
                    found.append((order, outcome))
            self.jobs = left
            if found or time.monotonic() > end:
                return found
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """As of :class:`Executor`."""
        for job, _, _ in self.jobs:
            with suppress(Exception):
                job.cancel(check=False)
        self.jobs = []

    def call(self, tasks: Sequence[Callable[[], Value]]) -> Iterator[tuple[int, Value]]:
        """As of :class:`Executor`."""
        self._connect()
        files = tuple(loaded_files())
        left = {i: self.executor.submit(Call(task, files)) for i, task in enumerate(tasks)}
        while left:
            ended = [number for number, job in left.items() if job.done()]
            for number in ended:
                job = left.pop(number)
                error = job.exception()
                if error is not None:
                    said = str(error).strip().splitlines()[-1]
                    raise RunFailed(f"a measuring job failed: {said}; repeat the command")
                yield number, job.result()
            if not ended:
                time.sleep(POLL_SECONDS)

    def _connect(self) -> None:
        if self.executor is not None:
            return
        base = Path.home() / ".cache" / "metalocus" if self.cluster == "slurm" else None
        if base is not None:
            base.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"jobs-{uuid.uuid4().hex[:8]}-", dir=base))
        os.chmod(folder, 0o700)
        try:
            self.executor = self.submitit.AutoExecutor(
                folder, cluster=self.cluster, slurm_max_num_timeout=REQUEUES
            )
        except RuntimeError as error:
            raise WrongUse(f"Slurm is not here ({error})") from None
        self.executor.update_parameters(timeout_min=MINUTES, cpus_per_task=1, name="metalocus")
        if self.cluster == "slurm":
            self.executor.update_parameters(
                slurm_additional_parameters={"requeue": True},
                slurm_use_srun=True,
            )

    def _outcome(self, job: Any, gone: float | None) -> tuple[Outcome | None, float | None]:
        """What became of a job, and since when it is gone without a result; None if it goes on."""
        if not job.done():
            return None, None
        if not job.paths.result_pickle.exists():
            gone = gone or time.monotonic()
            waits = WAIT if self.cluster == "slurm" else 1.0
            if time.monotonic() - gone < waits:
                return None, gone
            return Outcome(LOST, f"its job ended without a result ({job.state})"), gone
        error = job.exception()
        if error is not None:
            said = (str(error).strip().splitlines() or ["it failed"])[-1]
            return Outcome(LOST, said), gone
        outcome: Outcome = job.result()
        return outcome, gone
