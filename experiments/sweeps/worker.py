"""One training run in a process of its own, forked from a :mod:`fork server <.fork_server>`."""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import NoReturn

import torch

from metalocus.agents.agent import NonFinite
from metalocus.agents.ppo.files import Corrupt
from metalocus.envs import InvalidTask
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.lease import Busy
from metalocus.experiments.folders.progress import write_progress
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.sweeps.order import DONE, FAILED, FULL, HOPELESS, STOPPED, Order
from metalocus.experiments.sweeps.processes import begin_child
from metalocus.experiments.training.saving import STOP, Stopped
from metalocus.experiments.training.train import train

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a disk, a quota or a file that is full."""


def be_worker(order: Order, server: int, words: int) -> NoReturn:
    """Carry out an order in this process, just forked, and end it with the exit code.

    Args:
        order: the run to make.
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


def work(order: Order) -> tuple[int, str]:
    """Make the run: exit code, and the reason in one line where it is not done."""
    torch.set_num_threads(1)
    try:
        config = RunConfig.from_json(order.config)
        if config.name != order.name:
            raise WrongUse(
                "the source of the run has changed since the command began, or the command runs"
                " another copy of metalocus than the installed one: start it from another folder"
            )
        train(config, order.out, lambda progress: write_progress(order.folder, progress))
    except Stopped as error:
        return STOPPED, str(error)
    except (InvalidTask, Corrupt, Busy, NonFinite, WrongUse) as error:
        full = "No space left" in str(error)
        return FULL if full else HOPELESS, str(error)
    except OSError as error:
        if error.errno in NO_SPACE:
            return FULL, f"the disk is full ({error.strerror}): make room"
        return FAILED, f"{type(error).__name__}: {error}"
    except Exception as error:
        return FAILED, f"{type(error).__name__}: {error}"
    return DONE, ""
