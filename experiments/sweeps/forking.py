"""A worker forked for each order, one after another, and kept to its limits.

A fork takes milliseconds where a new Python takes two seconds of imports. What a worker does is
given: this file knows processes, and nothing of training.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import BinaryIO, NoReturn, TextIO

from metalocus.experiments.sweeps.order import (
    FAILED,
    HOPELESS,
    MEMORY,
    ORPHANED,
    STOPPED,
    TIME,
    Order,
    Outcome,
)
from metalocus.experiments.sweeps.processes import begin_child, end_with_parent, leave_interrupts
from metalocus.experiments.training.saving import STOP

Work = Callable[[Order], tuple[int, str]]
"""Carries out an order: the exit code, and the reason in one line where it is not done."""
POLL_SECONDS = 0.2
GRACE_SECONDS = 10.0
"""For a worker that is asked to stop to save its run, before it is killed."""
LAST_WORDS = 8192
"""Bytes that are kept of what a worker says."""
GIBIBYTE = 2**30


def serve(driver: int, orders: BinaryIO, answers: TextIO, imported: Callable[[], Work]) -> None:
    """Carry out orders, one a line, until there are no more, or the driver ends.

    Args:
        driver: process id of the parent.
        orders: to be carried out.
        answers: where outcomes are written, one a line.
        imported: called once, in the server; gives what a worker does. If it raises, that is the
            outcome of all orders.
    """
    leave_interrupts()
    end_with_parent(driver)
    refusal: Outcome | None = None
    try:
        work = imported()
    except Exception as error:
        refusal = Outcome(HOPELESS, f"{error}", host=platform.node())
    stopping = Stopping()
    signal.signal(signal.SIGTERM, stopping.ask)
    for line in iter(orders.readline, b""):
        outcome = refusal or attend(Order.from_line(line), work, driver, stopping)
        answers.write(json.dumps(asdict(outcome)) + "\n")
        answers.flush()
        if stopping.asked:
            break


class Stopping:
    """Whether the server was asked to stop, and how its worker is told."""

    def __init__(self) -> None:
        self.asked, self.worker = False, 0

    def ask(self, *_: object) -> None:
        """As a signal handler: forward it, or end if there is nothing to do."""
        if not self.worker:
            os._exit(0)
        self.asked = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.worker, signal.SIGTERM)


def attend(order: Order, work: Work, driver: int, stopping: Stopping) -> Outcome:
    """Fork a worker, see that it keeps its limits, and tell what became of it."""
    began, server = time.monotonic(), os.getpid()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _be_worker(order, work, server, write)
    os.close(write)
    stopping.worker = pid
    watched = _Watched(order, pid)
    try:
        status = _ended(watched, read, driver, stopping)
    finally:
        os.close(read)
        stopping.worker = 0
    code = os.waitstatus_to_exitcode(status)
    said = watched.said.decode("utf-8", "replace")
    if watched.over and (code == STOPPED or code < 0):  # what it met by itself comes first
        saved = " and is saved" if code == STOPPED else ""
        code, said = watched.over[0], f"{watched.over[1]}{saved}"
    return Outcome(code, said, time.monotonic() - began, watched.peak, platform.node())


def _be_worker(order: Order, work: Work, server: int, words: int) -> NoReturn:
    """Carry out an order in this process, just forked, and end it with the exit code.

    Args:
        order: to be carried out.
        work: carries it out.
        server: process id of the parent.
        words: file descriptor for last words.
    """
    try:
        os.dup2(words, 2)
        sys.stderr = os.fdopen(2, "w", 1, "utf-8", "replace", closefd=False)
        signal.signal(signal.SIGTERM, lambda *_: STOP.set())
        begin_child(server)
        code, said = work(order)
        os.write(2, f"{said}\n".encode("utf-8", "surrogateescape"))
    finally:
        os._exit(locals().get("code", FAILED))


class _Watched:
    """A worker, its last words, and which limit it went over."""

    def __init__(self, order: Order, pid: int) -> None:
        self.limits, self.pid, self.began = order.limits, pid, time.monotonic()
        self.said, self.peak = b"", 0.0
        self.over: tuple[int, str] | None = None
        self.kill_at = float("inf")

    def look(self) -> None:
        """Stop it if it is over a limit; kill it if it was asked to stop and did not."""
        self.peak = max(self.peak, _resident(self.pid))
        most, seconds = self.limits.gibibytes, self.limits.seconds
        now = time.monotonic()
        if most is not None and self.peak > most and self.over is None:
            said = f"it took {self.peak:.2f} GiB of memory, over the limit of {most:g}; raise it"
            self.over, self.kill_at = (MEMORY, said), now
        elif seconds is not None and now - self.began > seconds and self.over is None:
            self.over = TIME, f"it took over {seconds:g} seconds"
            self.ask()
        if now >= self.kill_at:
            self.signal(signal.SIGKILL)

    def ask(self) -> None:
        """Ask it to save its run and end."""
        if self.kill_at == float("inf"):
            self.kill_at = time.monotonic() + GRACE_SECONDS
            self.signal(signal.SIGTERM)

    def signal(self, number: int) -> None:
        """Send a signal; it may have ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


def _ended(watched: _Watched, words: int, driver: int, stopping: Stopping) -> int:
    """Wait for a worker's end, listening to it; its status."""
    listening = True
    while True:
        if listening and select.select([words], [], [], POLL_SECONDS)[0]:
            heard = os.read(words, 65536)
            listening = bool(heard)
            watched.said = (watched.said + heard)[-LAST_WORDS:]
        elif not listening:
            time.sleep(0.001)
        pid, status, _ = os.wait4(watched.pid, os.WNOHANG)
        if pid:
            return status
        if os.getppid() != driver:
            watched.signal(signal.SIGKILL)
            os._exit(ORPHANED)
        watched.look()
        if stopping.asked:
            watched.ask()


def _resident(pid: int) -> float:
    """Memory of a process that is resident, in GiB; 0 where nobody tells."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / GIBIBYTE
