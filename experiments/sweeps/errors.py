"""What each error of a run means for its order."""

from __future__ import annotations

import errno

from metalocus.agents.agent import NonFinite
from metalocus.agents.ppo.files import Corrupt
from metalocus.envs import InvalidTask
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.lease import Busy
from metalocus.experiments.sweeps.order import BUSY, FAILED, FULL, HOPELESS, STOPPED
from metalocus.experiments.training.saving import Stopped

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a disk, a quota or a file that is full."""


def judged(error: Exception) -> tuple[int, str]:
    """The exit code of an error, and in one line what it says."""
    cause = error if isinstance(error, OSError) else error.__cause__
    if isinstance(cause, OSError) and cause.errno in NO_SPACE:
        return FULL, f"the disk is full ({cause.strerror}): make room"
    if isinstance(error, Stopped):
        return STOPPED, str(error)
    if isinstance(error, Busy):
        return BUSY, str(error)
    if isinstance(error, (InvalidTask, Corrupt, NonFinite, WrongUse)):
        return HOPELESS, str(error)
    return FAILED, f"{type(error).__name__}: {error}"
