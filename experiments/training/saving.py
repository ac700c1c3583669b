"""When a run is saved, that the last good checkpoint is kept, and how a run is asked to stop."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import TypeVar

from metalocus.agents.ppo.files import Corrupt
from metalocus.experiments.folders.folder import BEFORE, CHECKPOINT

Value = TypeVar("Value")
FIRST_PART = 1 / 20
"""Of the time between two checkpoints, that before the first; each next one takes twice as long."""
STOP = Event()
"""Set where this process is asked to stop: the run is saved as soon as it can be, and ends."""


class Stopped(RuntimeError):
    """The run was asked to stop, and is saved."""


class Saves:
    """Tells when the next checkpoint is due: early at first, so that little is ever lost."""

    def __init__(self) -> None:
        self.last, self.part = time.monotonic(), FIRST_PART

    def due(self, seconds: float) -> bool:
        """Whether to save now.

        Args:
            seconds: between two checkpoints, in the long run.
        """
        return STOP.is_set() or time.monotonic() - self.last > seconds * self.part

    def saved(self) -> None:
        """Count from now; :class:`Stopped` if the run was asked to stop."""
        self.last, self.part = time.monotonic(), min(1.0, 2 * self.part)
        if STOP.is_set():
            raise Stopped("it was asked to stop, and is saved; the same command continues it")


def make_way(folder: Path) -> None:
    """Keep the checkpoint that is there as the one before, since a new one is written next."""
    if (folder / CHECKPOINT).exists():
        os.replace(folder / CHECKPOINT, folder / BEFORE)


def go_on(folder: Path, load: Callable[[Path], Value]) -> Value | None:
    """Continue from the checkpoint in a folder, or from the one before if that is damaged.

    Args:
        folder: of the run.
        load: reads a file; :class:`Corrupt` if it cannot be used.

    Returns:
        What ``load`` returns; None if there is no checkpoint.

    Raises:
        Corrupt: there are checkpoints, and none of them is good.
    """
    newest, before = folder / CHECKPOINT, folder / BEFORE
    if not newest.exists():
        return load(before) if before.exists() else None
    try:
        return load(newest)
    except Corrupt as error:
        if not before.exists():
            raise
        try:
            found = load(before)
        except Corrupt:
            raise error from None
        what = str(error).partition(";")[0]
        warnings.warn(f"{what}; the run goes on from the checkpoint before it", stacklevel=3)
        os.replace(before, newest)  # or the next save would put the damaged one in its place
        return found
