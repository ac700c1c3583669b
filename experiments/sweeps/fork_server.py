"""The process that imports everything once and forks a worker for each order.

``python -m metalocus.experiments.sweeps.fork_server DRIVER FILES...`` takes orders from standard
input, one a line, and writes their outcomes to standard output, one a line, one after another.
DRIVER is the process id of its parent, with which it ends, FILES are what the driver has loaded. A
fork takes milliseconds where a new Python takes two seconds of imports.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import platform
import select
import signal
import sys
import time
from dataclasses import asdict
from typing import BinaryIO, TextIO

from metalocus.experiments.sweeps.order import HOPELESS, MEMORY, ORPHANED, TIME, Order, Outcome
from metalocus.experiments.sweeps.processes import end_with_parent, leave_interrupts

POLL_SECONDS = 0.2
GRACE_SECONDS = 10.0
"""For a worker that is asked to stop to save its run, before it is killed."""
LAST_WORDS = 8192
"""Bytes that are kept of what a worker says."""
GIBIBYTE = 2**30


def main() -> int:
    """Import everything, then serve on standard input and output."""
    driver = int(sys.argv[1])
    leave_interrupts()
    end_with_parent(driver)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    serve(driver, sys.stdin.buffer, answers, prepare(sys.argv[2:]))
    return 0


def serve(driver: int, orders: BinaryIO, answers: TextIO, refusal: Outcome | None = None) -> None:
    """Carry out orders, one a line, until there are no more, or the driver ends.

    Args:
        driver: process id of the parent.
        orders: to be carried out.
        answers: where outcomes are written.
        refusal: the outcome of all orders, if nothing can be done.
    """
    leave_interrupts()
    end_with_parent(driver)
    stopping = Stopping()
    signal.signal(signal.SIGTERM, stopping.ask)
    for line in iter(orders.readline, b""):
        outcome = refusal or attend(Order.from_line(line), driver, stopping)
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


def prepare(files: list[str]) -> Outcome | None:
    """Import what every run needs; why nothing can be done, if so."""
    gc.disable()  # of what is imported next nothing is garbage
    try:
        import torch._dynamo  # by every optimizer, half a second
        from PIL import Image
        from torch.utils.tensorboard import SummaryWriter  # noqa: F401

        from metalocus.agents.catalogue import best_reference  # noqa: F401
        from metalocus.agents.cells.base import TRAINABLES
        from metalocus.agents.trainers.base import TRAINERS
        from metalocus.envs import FAMILIES
        from metalocus.envs.discovery import load
        from metalocus.experiments.sweeps import worker  # noqa: F401

        torch.set_num_threads(1)
        Image.preinit()
        load(*files)
        for registry in (TRAINABLES, TRAINERS, FAMILIES):
            list(registry)
    except Exception as error:
        return Outcome(HOPELESS, f"{error}", host=platform.node())
    gc.freeze()  # what is shared with the workers stays so
    gc.enable()
    return None


def attend(order: Order, driver: int, stopping: Stopping) -> Outcome:
    """Fork a worker, see that it keeps its limits, and tell what became of it."""
    from metalocus.experiments.sweeps.worker import be_worker

    began, server = time.monotonic(), os.getpid()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        be_worker(order, server, write)
    os.close(write)
    stopping.worker = pid
    watched = _Watched(order, pid)
    try:
        status = _ended(watched, read, driver, stopping)
    finally:
        os.close(read)
        stopping.worker = 0
    code = os.waitstatus_to_exitcode(status)
    if watched.over and code != 0:
        code, said = watched.over
    else:
        said = watched.said.decode("utf-8", "replace")
    return Outcome(code, said, time.monotonic() - began, watched.peak, platform.node())


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
            said = f"it took over {seconds:g} seconds, and is saved; the same command continues it"
            self.over = TIME, said
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


if __name__ == "__main__":
    sys.exit(main())
