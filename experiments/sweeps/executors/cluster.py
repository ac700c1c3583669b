"""Many machines by Ray: plain tasks, each of which has one order carried out where it runs."""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from metalocus.agents.ppo.files import Corrupt, write_atomically
from metalocus.envs.discovery import load, loaded_files
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.folder import CONFIG, MANIFEST, WRITTEN
from metalocus.experiments.folders.lease import locked
from metalocus.experiments.runs.records import is_done, load_manifest
from metalocus.experiments.sweeps.client import ForkServer
from metalocus.experiments.sweeps.errors import judged
from metalocus.experiments.sweeps.executors.base import Executor
from metalocus.experiments.sweeps.order import DONE, LOST, Order, Outcome, RunFailed
from metalocus.experiments.training.carried import LABELS, PROJECTOR, VECTORS

Value = TypeVar("Value")
Files = dict[str, bytes]
"""A finished run, by the names of its files."""
CALL_ATTEMPTS = 3
KNOCK_SECONDS = 10.0
"""In which a cluster's machine answers, even a far one."""
_SERVERS: dict[tuple[str, ...], ForkServer] = {}
"""Of this process, which is a worker of Ray."""


class Ray(Executor):
    """Plain tasks of Ray, spread over its machines, one core each.

    Every order is one task; a task whose worker or machine dies is told as lost, and
    :func:`~metalocus.experiments.sweeps.sweep.sweep` tries it again. The runs' folder is shared by
    all machines, or else every finished run is brought back whole; what was interrupted then begins
    anew on another machine.

    Args:
        address: of the cluster; None for the one that the environment names, or a new one here.
        workers: tasks at once; None for two a core of the cluster: one works, one is under way.
    """

    name = "ray"

    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        try:
            import ray
        except ImportError:
            raise WrongUse(
                "Ray is not installed; `pip install metalocus[cluster]` installs it"
            ) from None
        self.ray, self.address, self.workers = ray, address, workers
        self.tasks: dict[Any, Order] = {}
        self.shared: dict[Path, str] = {}

    @property
    def slots(self) -> int:  # type: ignore[override]
        """Tasks at once."""
        cores = self.ray.cluster_resources().get("CPU", 1)
        return self.workers or max(2, int(2 * cores))

    def begin(self, orders: Sequence[Order]) -> None:
        """Connect, and leave a mark in every folder by which a task knows that it is shared."""
        self._connect()
        for out in {order.out for order in orders}:
            self.shared[out] = secrets.token_hex(8)
            write_atomically(out / _mark(self.shared[out]), b"")

    def submit(self, order: Order) -> None:
        """As of :class:`Executor`."""
        once = {"num_cpus": 1, "max_retries": 0, "scheduling_strategy": "SPREAD"}
        task = self.ray.remote(**once)(attend)
        mark = self.shared[order.out]
        self.tasks[task.remote(order.to_line(), mark, tuple(loaded_files()))] = order

    def ended(self, seconds: float) -> list[tuple[Order, Outcome]]:
        """As of :class:`Executor`; runs that were made elsewhere are put in their place."""
        ready, _ = self.ray.wait(list(self.tasks), num_returns=1, timeout=seconds)
        more, _ = self.ray.wait(list(self.tasks), num_returns=len(self.tasks), timeout=0)
        found = []
        for task in dict.fromkeys([*ready, *more]):
            order = self.tasks.pop(task)
            found.append((order, self._outcome(order, task)))
        return found

    def stop(self) -> None:
        """As of :class:`Executor`."""
        for task in self.tasks:
            with suppress(self.ray.exceptions.RayError):
                self.ray.cancel(task, force=True)
        self.tasks = {}
        for out, mark in self.shared.items():
            (out / _mark(mark)).unlink(missing_ok=True)
        self.shared = {}

    def call(self, tasks: Sequence[Callable[[], Value]]) -> Iterator[tuple[int, Value]]:
        """As of :class:`Executor`; folders that the tasks read and write must be shared."""
        self._connect()
        more = {"num_cpus": 1, "max_retries": CALL_ATTEMPTS, "scheduling_strategy": "SPREAD"}
        remote = self.ray.remote(**more)(call)
        files = tuple(loaded_files())
        left = {remote.remote(task, files): number for number, task in enumerate(tasks)}
        while left:
            (ready,), _ = self.ray.wait(list(left), num_returns=1)
            try:
                value = self.ray.get(ready)
            except self.ray.exceptions.RayTaskError as error:
                raise error.cause from None
            except self.ray.exceptions.RayError as error:
                said = f"a measuring process was lost ({type(error).__name__})"
                raise RunFailed(f"{said}; repeat the command to go on") from None
            yield left.pop(ready), value

    def _connect(self) -> None:
        if not self.ray.is_initialized():
            address = self.address or os.environ.get("RAY_ADDRESS")
            more = {} if address is None else {"address": address}
            try:
                if address is not None:
                    _knock(address)
                self.ray.init(log_to_driver=False, include_dashboard=False, **more)
            except (OSError, ValueError) as error:
                said = str(error).splitlines()[0]
                raise WrongUse(f"no Ray cluster at {address} ({said})") from None

    def _outcome(self, order: Order, task: Any) -> Outcome:
        try:
            record, files = self.ray.get(task)
        except self.ray.exceptions.RayError as error:
            return Outcome(LOST, f"its machine or process was lost ({type(error).__name__})")
        outcome = Outcome.from_record(record)
        if outcome.code == DONE and files is not None:
            try:
                place(order, files)
            except Exception as error:
                code, said = judged(error)
                return replace(outcome, code=code, said=said)
        return outcome


def _knock(address: str) -> None:
    """Connect to the port of an address that has one, for Ray itself tries that for minutes.

    Raises:
        OSError: nobody answers.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), KNOCK_SECONDS).close()


def attend(line: str, mark: str, files: tuple[str, ...]) -> tuple[dict[str, Any], Files | None]:
    """Have an order carried out on this machine, as a task of Ray.

    Args:
        line: the order.
        mark: that a shared folder has.
        files: that are to be loaded from outside the package.

    Returns:
        The outcome as a record, and the finished run, if its folder is not shared.
    """
    order, server = Order.from_line(line), _SERVERS.setdefault(files, ForkServer(files))
    if (order.out / _mark(mark)).exists():
        return asdict(server.attend(order)), None
    with tempfile.TemporaryDirectory() as folder:
        there = replace(order, out=Path(folder))
        outcome = server.attend(there)
        done = outcome.code == DONE and (there.folder / MANIFEST).exists()
        brought = {path.name: path.read_bytes() for path in _parts(there.folder)} if done else {}
    return asdict(outcome), brought


def call(task: Callable[[], Value], files: tuple[str, ...]) -> Value:
    """Call a function as a task of Ray, with one thread."""
    import torch

    torch.set_num_threads(1)
    load(*files)
    return task()


def place(order: Order, files: Files) -> None:
    """Put a finished run that was made elsewhere in its place, its manifest last.

    A finished run that is there already is left as it is.

    Raises:
        Corrupt: a name is none of a run's files, or a file is not what the manifest says; nothing
            is written. Or the finished run that is there is damaged.
        Busy: another process is making the run here.
        WrongUse: it cannot be written.
    """
    events = {name for name in files if name.startswith("events.out.tfevents.")}
    own = {*WRITTEN, VECTORS, LABELS, PROJECTOR, *events}
    for name in files:
        if name not in own or Path(name).name != name or os.sep in name:
            raise Corrupt(f"{name!r} is no file of a run; it is not written")
    with tempfile.TemporaryDirectory() as elsewhere:
        received = Path(elsewhere) / order.name
        received.mkdir()
        for name, data in files.items():
            (received / name).write_bytes(data)
        load_manifest(received)
    with locked(order.folder):
        if is_done(order.folder):
            return
        for name in sorted(files, key=lambda name: (name == MANIFEST, name != CONFIG)):
            write_atomically(order.folder / name, files[name])


def _parts(folder: Path) -> list[Path]:
    """All files of a run but those of its locks."""
    return [path for path in folder.iterdir() if path.is_file() and path.name[0] != "."]


def _mark(token: str) -> str:
    """The name of the file by which a shared folder is known."""
    return f".shared-{token}"
