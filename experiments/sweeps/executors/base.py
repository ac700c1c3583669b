"""The interface of all executors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Protocol, TypeVar

from metalocus.experiments.sweeps.order import Order, Outcome

Value = TypeVar("Value")


class Executor(Protocol):
    """Has the worker's command carried out for run directories, many at once.

    A context: at its end nothing that it has started is left, whatever happened. Executors inherit
    from it. They carry out an order once; who asks tries again.
    """

    name: str
    """As given by ``--executor``."""
    slots: int
    """Orders that are in work at once, at most; it may change while others come and go."""

    def begin(self, orders: Sequence[Order]) -> None:
        """Make ready for orders.

        Raises:
            WrongUse: they cannot be carried out there.
        """

    def submit(self, order: Order) -> None:
        """Begin an order, or put it behind others."""

    def ended(self, seconds: float) -> list[tuple[Order, Outcome]]:
        """Orders that have ended since; waits so long for the first."""

    def stop(self) -> None:
        """Ask all that is in work to save and end, and wait for it."""

    def call(self, tasks: Sequence[Callable[[], Value]]) -> Iterator[tuple[int, Value]]:
        """Call functions in processes; the number of each with what it returns, as they end.

        Raises:
            RunFailed: a process was killed.
        """

    def __enter__(self) -> Executor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.stop()
