"""When and where a debate was judged, and by which code."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from metalocus import __version__, envs
from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.runs.provenance import made_by


def made() -> dict[str, Any]:
    """What :func:`~metalocus.experiments.runs.provenance.made_by` says, ``version`` and ``commit``.

    The commit is None without one; ``source`` is the same for an installed copy.
    """
    about = made_by("metalocus.experiments.debate.main", *CLAIMS.sources())
    return {**about, "version": __version__, "commit": commit(Path(envs.__file__))}


def commit(file: Path) -> str | None:
    """The commit that a source file is of; None where git does not keep it, or there is no git.

    ``+changes`` follows where tracked files beside it, or in folders beside it, differ from it.
    """
    try:
        _git(file.parent, "ls-files", "--error-unmatch", file.name)
        found = _git(file.parent, "rev-parse", "--short=12", "HEAD")
        changed = _git(file.parent, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{found}+changes" if changed else found


def _git(folder: Path, *arguments: str) -> str:
    """What a git command prints.

    Raises:
        OSError, SubprocessError: there is no git, or it refuses or does not answer.
    """
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(
        command, capture_output=True, check=True, text=True, timeout=10
    ).stdout.strip()
