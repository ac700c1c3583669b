"""What long work says while it goes on: a live bar on a terminal, a line now and then elsewhere.

Lines are messages of the logger ``metalocus``, which the command line shows on standard error. In
Python nothing is shown until ``logging.basicConfig(level=logging.INFO)``.
"""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LOG = logging.getLogger("metalocus")
FIRST_SECONDS, LINE_SECONDS = 5.0, 10.0
"""Before the first line on work that goes on, and between two lines, at least."""


class _ToStandardError(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        self.stream = sys.stderr
        super().emit(record)


def show_lines() -> None:
    """Write the lines of this process to standard error, until :func:`hush`."""
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    if not LOG.handlers:
        handler = _ToStandardError()
        handler.setFormatter(logging.Formatter("metalocus: %(message)s"))
        LOG.addHandler(handler)


def hush(quiet: bool = True) -> None:
    """Show no progress, neither as lines nor as a bar."""
    LOG.setLevel(logging.WARNING if quiet else logging.INFO)


class Stage:
    """One stage of the work: how much of it is done.

    A context; while it is open, a terminal shows a bar, which disappears at its end. Where
    standard error is no terminal there are lines: one for every part that :meth:`finished` names,
    and one at most every ``LINE_SECONDS`` from :meth:`advance` and :meth:`count`.

    Args:
        name: of the stage.
        total: how much there is to do; None if nobody knows.
        unit: what is counted.
    """

    def __init__(self, name: str, total: float | None, unit: str) -> None:
        self.name, self.unit = name, unit
        self.total = None if total is None else max(total, 1)
        console = Console(stderr=True)
        self.live = console.is_terminal and LOG.isEnabledFor(logging.INFO)
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            *([] if total is None else [TextColumn("{task.percentage:>3.0f}%")]),
            TimeElapsedColumn(),
            *([] if total is None else [TimeRemainingColumn()]),
            console=console,
            transient=True,
            disable=not self.live,
        )
        self.bar: TaskID = self.progress.add_task(name, total=self.total)
        self.began = time.monotonic()
        self.told = self.began + FIRST_SECONDS - LINE_SECONDS
        self.done = 0.0

    def __enter__(self) -> Stage:
        self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.progress.stop()

    def update(self, done: float, note: str = "") -> None:
        """So much of the total is done; shown on a terminal alone.

        Args:
            done: of the total.
            note: more about it.
        """
        self.done = done
        said = f"{self.name}, {note}" if note else self.name
        self.progress.update(self.bar, completed=done, description=said)

    def advance(self, done: float, note: str = "") -> None:
        """As :meth:`update`, with a line if the last one was long ago."""
        self.update(done, note)
        if time.monotonic() - self.told >= LINE_SECONDS:
            of = "" if self.total is None else f"{done / self.total:.0%} of "
            self._tell(f"{of}{self.total or done:,.0f} {self.unit}", note)

    def count(self, more: float) -> None:
        """As :meth:`advance`, by so much more than before."""
        done = self.done + more
        self.advance(done, f"{done:,.0f} {self.unit}" if self.live else "")

    def finished(self, part: str, count: int, of: int) -> None:
        """A part is finished; a line says which.

        Args:
            part: what.
            count: of all parts, how many are finished.
            of: how many there are.
        """
        self._tell(f"{count} of {of} {self.unit}", part)

    def _tell(self, how_much: str, note: str) -> None:
        self.told = time.monotonic()
        if not self.live:
            parts = (f"{self.name}: {how_much}", note, self._left())
            LOG.info("%s", ", ".join(part for part in parts if part))

    def _left(self) -> str:
        """How long the rest takes if it goes on as it went."""
        if self.total is None or not 0 < self.done < self.total:
            return ""
        passed = time.monotonic() - self.began
        return f"{duration(passed * (self.total - self.done) / self.done)} left"


def duration(seconds: float) -> str:
    """A time for people: ``40 s``, ``3 min``, ``2 h 10 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
