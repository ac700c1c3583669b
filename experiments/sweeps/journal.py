"""What became of every attempt at every run, written by the process that asked for it.

In a folder of runs ``.sweep`` holds

``plan-DIGEST.json``   a command, and the names of all runs that it has last asked for
``by-TOKEN/``          one process that drives it: a lease, and ``journal.jsonl``, a line an event

A journal has one writer and is only appended to; a line that was torn by a crash is left out. It
serves people and :mod:`~metalocus.experiments.sweeps.status`; what is done is decided by the runs'
own folders alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
import uuid
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metalocus.agents.ppo.files import write_record
from metalocus.experiments.folders.lease import held, require_writable
from metalocus.experiments.sweeps.order import Order, Outcome

FOLDER, JOURNAL = ".sweep", "journal.jsonl"
KNOWN, BEGUN, ENDED = "known", "begun", "ended"
LARGEST_JOURNAL = 2**31
"""Bytes; a line takes some 200."""


class Journal:
    """Events of this process.

    Args:
        folder: of this process in ``.sweep``.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / JOURNAL

    def known(self, names: Sequence[str]) -> None:
        """These runs were done before."""
        self._write(KNOWN, runs=list(names))

    def begun(self, order: Order, attempt: int) -> None:
        """An attempt is begun."""
        self._write(BEGUN, run=order.name, attempt=attempt)

    def ended(self, order: Order, attempt: int, outcome: Outcome, again: bool) -> None:
        """An attempt has ended.

        Args:
            order: what was asked for.
            attempt: its number, from 1.
            outcome: what became of it.
            again: whether another attempt follows.
        """
        found: dict[str, Any] = {"run": order.name, "attempt": attempt, "code": outcome.code}
        found |= {"again": again, "reason": outcome.reason if outcome.code else ""}
        found |= {"seconds": round(outcome.seconds, 2), "gibibytes": round(outcome.gibibytes, 2)}
        found |= {"host": outcome.host, "starts": outcome.starts, "warning": outcome.warning}
        self._write(ENDED, **found)

    def _write(self, event: str, **more: Any) -> None:
        line = json.dumps({"event": event, "at": round(time.time(), 6), **more}) + "\n"
        with suppress(OSError):  # a full disk must not end what is trained on others
            file = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                os.write(file, line.encode("utf-8", "surrogateescape"))
            finally:
                os.close(file)


@contextmanager
def journal(out: Path, names: Iterable[str], command: str) -> Generator[Journal]:
    """The journal of this process while it works on runs.

    Args:
        out: folder of runs.
        names: of all runs of the sweep, those of other shards included.
        command: that asks for them, for people. What it asked for before is forgotten.

    Raises:
        WrongUse: nothing can be written there.
    """
    require_writable(out / FOLDER)
    digest = hashlib.sha256(command.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    plan = {"command": command, "runs": sorted(names), "begun": time.time()}
    write_record(out / FOLDER / f"plan-{digest}.json", plan)
    own = out / FOLDER / f"by-{platform.node()[:40]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    own.mkdir()
    with held(own):
        yield Journal(own)


@dataclass(frozen=True)
class Event:
    """One line of a journal.

    Attributes:
        driver: folder of the process that wrote it.
        at: seconds since 1970 by that process's clock.
        event: its kind.
        values: all of it.
    """

    driver: Path
    at: float
    event: str
    values: dict[str, Any]


def events(out: Path) -> Iterator[Event]:
    """All events in a folder of runs; lines that are none are left out."""
    for file in sorted((out / FOLDER).glob(f"by-*/{JOURNAL}")):
        if file.is_symlink() or not file.is_file() or file.stat().st_size > LARGEST_JOURNAL:
            continue
        with file.open(encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                with suppress(ValueError, KeyError, TypeError, OverflowError, RecursionError):
                    values = json.loads(line)
                    event = Event(file.parent, float(values["at"]), str(values["event"]), values)
                    yield event
