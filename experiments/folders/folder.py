"""A run's folder: the names of its files, and reading them.

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
from pathlib import Path

from metalocus.agents.ppo.files import Corrupt

CONFIG, CHECKPOINT, MANIFEST = "config.json", "checkpoint", "manifest.json"
WEIGHTS, META, RESULTS = "weights.safetensors", "meta.json", "results.parquet"
PROGRESS, BEFORE = ".progress", "checkpoint.before"
WRITTEN = (CONFIG, CHECKPOINT, BEFORE, WEIGHTS, META, RESULTS, MANIFEST, PROGRESS)
LARGEST_FILE = 2**31
"""Bytes that are read at most of a file of a run; the largest networks here take a few millions."""
_NAME = re.compile(r"[\w.-]+-[0-9a-f]{8}-s\d+")


class NotARun(ValueError):
    """A folder that holds no finished run."""


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
