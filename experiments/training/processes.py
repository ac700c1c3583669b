"""What every child process needs: a safe path, one thread, and an end when its driver ends."""

from __future__ import annotations

import os
import signal
import time
from threading import Thread

ENVIRONMENT = {"PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"}
"""For child processes: nothing is imported from the folder that the driver was started in, and
one thread computes, since several give other bits."""
POLL_SECONDS = 0.5
HOPELESS, ORPHANED = 2, 3
"""Exit codes of a child: trying again is of no use; its driver is gone."""


def begin_child(driver: int) -> None:
    """The first act of a child process: end when its driver ends, and leave Ctrl-C to it.

    On Windows, where a process is not told of its parent's end, a child ends with its work.

    Args:
        driver: process id of the parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with, args=(driver,), daemon=True).start()


def _end_with(driver: int) -> None:
    """End this process, whatever it does, once its parent is another one."""
    while os.getppid() == driver:
        time.sleep(POLL_SECONDS)
    os._exit(ORPHANED)
