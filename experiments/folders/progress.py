"""How far a run is, for the display of this process or of another one: ``.progress``."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from metalocus.experiments.folders.folder import PROGRESS, read_whole


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        steps: done.
        total: to be done.
        mean_return: of the last hundred training episodes; None before the first.
        score: as last measured; None where there is none.
    """

    steps: int
    total: int
    mean_return: float | None = None
    score: float | None = None

    def __str__(self) -> str:
        """Return and score, as far as they are known."""
        found = {"return": self.mean_return, "score": self.score}
        return ", ".join(
            f"{name} {value:.3g}" for name, value in found.items() if value is not None
        )


def write_progress(folder: Path, progress: Progress) -> None:
    """Write how far the run in a folder is."""
    (folder / PROGRESS).write_text(json.dumps(asdict(progress)), encoding="utf-8")


def read_progress(folder: Path) -> Progress | None:
    """How far the run in a folder was when last written; None if nothing readable was."""
    try:
        found = Progress(**json.loads(read_whole(folder / PROGRESS)))
        counts, measured = (found.steps, found.total), (found.mean_return, found.score)
        fits = all(type(each) is int for each in counts)
        return found if fits and all(map(_is_finite, measured)) else None
    except (OSError, ValueError, TypeError, OverflowError, RecursionError):
        return None


def _is_finite(value: object) -> bool:
    """Whether a value is not known, or a finite number."""
    return value is None or (isinstance(value, int | float) and math.isfinite(value))
