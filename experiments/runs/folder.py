"""A run's folder: the names of its files, who may write in it, how far training is.

config.json         the settings, written first
checkpoint          to continue from, and the one before it; gone when the run is done
weights.safetensors the trained policy
meta.json           its observation layout and the versions that made it
results.parquet     step, metric, value: every measurement during training
events.out.tfevents TensorBoard
manifest.json       written last: what the run took, and a SHA-256 of each file above
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from metalocus.agents.ppo.files import Corrupt
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.runs.lease import Lease, held

CONFIG, CHECKPOINT, MANIFEST = "config.json", "checkpoint", "manifest.json"
WEIGHTS, META, RESULTS = "weights.safetensors", "meta.json", "results.parquet"
PROGRESS, BEFORE = ".progress", "checkpoint.before"
WRITTEN = (CONFIG, CHECKPOINT, BEFORE, WEIGHTS, META, RESULTS, MANIFEST, PROGRESS)
LARGEST_FILE = 2**31
"""Bytes that are read at most of a file of a run; the largest networks here take a few millions."""
_NAME = re.compile(r"[\w.-]+-[0-9a-f]{8}-s\d+")


class NotARun(ValueError):
    """A folder that holds no finished run."""


@contextmanager
def locked(folder: Path) -> Generator[Lease]:
    """Hold the folder for this process alone, making it if need be.

    Raises:
        Busy: another process holds it.
        WrongUse: it cannot be written, or one of its files is a link, a pipe or a folder.
    """
    require_writable(folder)
    for path in (folder / name for name in WRITTEN):
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise WrongUse(f"{path} is a link, a pipe or a folder; remove it")
    with held(folder) as lease:
        for half_written in folder.glob(".*.tmp"):  # by a process that was killed
            if not half_written.is_dir():
                half_written.unlink()
        yield lease


def require_writable(folder: Path) -> None:
    """Make a folder and write in it, so that no work begins whose results cannot be kept.

    Raises:
        WrongUse: it cannot be made or written, or its path is no text in this locale, which
            TensorBoard cannot write.
    """
    try:
        str(folder).encode()  # fails for bytes that are no text
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder) as trial:
            trial.write(bytes(4096))  # an empty file would fit on a full disk
    except OSError as error:
        reason = "it is a file" if os.path.isfile(folder) else error.strerror
        raise WrongUse(f"cannot write in {folder} ({reason}); choose another --out") from None
    except UnicodeEncodeError:
        advice = "choose another --out, or set LC_ALL=C.UTF-8"
        raise WrongUse(f"{folder} is no text in this locale; {advice}") from None


def require_own_name(folder: Path, run: str) -> None:
    """Raise :class:`Corrupt` if a folder bears the name of another run than the one it holds.

    A folder may be renamed, but not to what is taken for another run.
    """
    name = Path(os.path.abspath(folder)).name
    if _NAME.fullmatch(name) and name != run:
        raise Corrupt(f"{folder} holds the run {run}; rename it to that, or move it away")


def read_whole(path: Path) -> bytes:
    """All bytes of a plain file; OSError if it is something else, such as a pipe, or huge."""
    if not path.is_file() or path.stat().st_size > LARGEST_FILE:
        raise OSError(f"{path} is no file, or too large")
    return path.read_bytes()
