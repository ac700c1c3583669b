"""Processes on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import TypeVar

from joblib import cpu_count

from metalocus.experiments.sweeps.client import ForkServer
from metalocus.experiments.sweeps.executors.base import Executor
from metalocus.experiments.sweeps.executors.loky import in_processes
from metalocus.experiments.sweeps.order import Order, Outcome

Value = TypeVar("Value")


class Local(Executor):
    """A fork server a core, each with one run at a time.

    Args:
        workers: runs at once; None for one a core that this process may use.
    """

    name = "local"

    def __init__(self, workers: int | None = None) -> None:
        self.slots = workers or cpu_count()
        self.servers: list[ForkServer] = []
        self.free: SimpleQueue[ForkServer] = SimpleQueue()
        self.done: SimpleQueue[tuple[Order, Outcome]] = SimpleQueue()
        self.pool: ThreadPoolExecutor | None = None

    def begin(self, orders: Sequence[Order]) -> None:
        """As of :class:`Executor`."""
        self.servers = [self._server() for _ in range(min(self.slots, max(len(orders), 1)))]
        for server in self.servers:
            self.free.put(server)
        self.pool = ThreadPoolExecutor(self.slots)

    def submit(self, order: Order) -> None:
        """As of :class:`Executor`."""
        assert self.pool is not None
        self.pool.submit(self._attend, order)

    def ended(self, seconds: float) -> list[tuple[Order, Outcome]]:
        """As of :class:`Executor`."""
        found = []
        try:
            found.append(self.done.get(timeout=seconds))
            while True:
                found.append(self.done.get_nowait())
        except Empty:
            return found

    def stop(self) -> None:
        """As of :class:`Executor`."""
        for server in self.servers:
            server.stop()
        if self.pool is not None:
            self.pool.shutdown(cancel_futures=True)
        for server in self.servers:
            server.wait()
        self.servers, self.pool, self.free = [], None, SimpleQueue()

    def call(self, tasks: Sequence[Callable[[], Value]]) -> Iterator[tuple[int, Value]]:
        """As of :class:`Executor`."""
        return in_processes(tasks, self.slots)

    def _server(self) -> ForkServer:
        return ForkServer()

    def _attend(self, order: Order) -> None:
        server = self.free.get()
        try:
            outcome = server.attend(order)
        finally:
            self.free.put(server)
        self.done.put((order, outcome))
