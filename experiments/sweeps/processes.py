"""What every child process needs: a safe path, one thread, and an end when its driver ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from threading import Thread

from metalocus.experiments.sweeps.order import ORPHANED

ENVIRONMENT = {"PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"}
"""For child processes: nothing is imported from the folder that the driver was started in, and
one thread computes, since several give other bits."""
POLL_SECONDS = 0.5
_SET_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of Linux' prctl."""


def begin_child(driver: int) -> None:
    """The first act of a child process: end when its driver ends, and leave Ctrl-C to it.

    On Windows, where a process is not told of its parent's end, a child ends with its work.

    Args:
        driver: process id of the parent.
    """
    leave_interrupts()
    end_with_parent(driver)
    Thread(target=_end_with, args=(driver,), daemon=True).start()


def leave_interrupts() -> None:
    """Leave Ctrl-C, which reaches all processes of a terminal, to the driver."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def end_with_parent(driver: int) -> None:
    """Have Linux kill this process when its parent ends; end now if it has ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != driver:
        os._exit(ORPHANED)


def _end_with(driver: int) -> None:
    """End this process, whatever it does, once its parent is another one."""
    while os.getppid() == driver:
        time.sleep(POLL_SECONDS)
    os._exit(ORPHANED)
