"""Where a run lies in a folder of runs: in it, or, if there are thousands, in one of 256 parts.

A file system lists and locks a folder as a whole, so a folder of 100,000 is slow for everybody.
In a folder that is parted, ``runs/NAME`` is ``runs/3f/NAME``, where 3f begins the SHA-256 of the
name; wherever a run directory is asked for, the short path is understood.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

MOST = 1000
"""Runs that lie side by side; a sweep of more parts its folder."""
PARTS = tuple(f"{part:02x}" for part in range(256))


def part_of(name: str) -> str:
    """The part that a run of this name lies in, where its folder is parted."""
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:2]


def folder_of_run(out: Path, name: str) -> Path:
    """Where the run of a name is in a folder of runs, or is to be made."""
    plain, parted = out / name, out / part_of(name)
    # unlike Path.exists, os.path.exists has an answer for names that cannot be
    return parted / name if not os.path.exists(plain) and os.path.isdir(parted) else plain


def found(folder: Path) -> Path:
    """A run's folder, where it lies in a part of the folder that it was asked for in."""
    return folder if folder.exists() else folder_of_run(folder.parent, folder.name)


def part(out: Path) -> None:
    """Make the parts of a folder of runs; those that are in it stay where they are."""
    for name in PARTS:
        (out / name).mkdir(parents=True, exist_ok=True)
