"""What an executor is asked to do, the worker's command for one run directory, and its outcome."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.places import folder_of_run

DONE, FAILED, HOPELESS, ORPHANED, FULL, STOPPED, BUSY = 0, 1, 2, 3, 4, 5, 6
"""Exit codes of a worker. Hopeless: trying again is of no use. Orphaned: its driver is gone. Full:
the disk is. Stopped: it was asked to, and the run is saved. Busy: another process makes the run."""
TIME, MEMORY, NOT_STARTED, LOST = 10, 11, 12, 13
"""What becomes of an order beside that: a limit, no process, or the place where it ran is gone."""
FINAL = frozenset({DONE, HOPELESS, FULL, STOPPED, TIME, MEMORY, NOT_STARTED})
"""After these an order is not tried again by the same command."""


class RunFailed(RuntimeError):
    """A run that could not be made; the message says which, why, and how to go on.

    Args:
        message: in one line.
        done: names of the other runs, which are finished.
    """

    def __init__(self, message: str, done: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.done = tuple(done)


@dataclass(frozen=True)
class Limits:
    """What one attempt at a run may take.

    Attributes:
        seconds: wall time; the run is then saved and ended. None for no limit.
        gibibytes: of memory that is resident, what all processes share included (about a third of
            a gibibyte). None for no limit.

    Raises:
        WrongUse: a limit is not finite, or not above 0.
    """

    seconds: float | None = None
    gibibytes: float | None = None

    def __post_init__(self) -> None:
        """Refuse what limits nothing or leaves nothing."""
        for what, limit in (("time", self.seconds), ("memory", self.gibibytes)):
            if limit is not None and not 0 < limit < math.inf:
                said = f"--{what}-limit must be above 0 and finite"
                raise WrongUse(f"{said}; leave it out for no limit")


NO_LIMITS = Limits()


@dataclass(frozen=True)
class Order:
    """One run to be made or finished.

    Attributes:
        out: folder of runs; it may be parted before the order is attended to.
        name: of the run.
        config: the run's settings, as JSON.
        limits: of one attempt.
    """

    out: Path
    name: str
    config: str
    limits: Limits = NO_LIMITS

    @property
    def folder(self) -> Path:
        """The run's own folder, where it is now."""
        return folder_of_run(self.out, self.name)

    def to_line(self) -> str:
        """As one line of JSON."""
        return json.dumps({**asdict(self), "out": str(self.out)})

    @classmethod
    def from_line(cls, line: str | bytes) -> Order:
        """From :meth:`to_line`."""
        found = json.loads(line)
        limits = Limits(**found["limits"])
        return cls(Path(found["out"]), found["name"], found["config"], limits)


@dataclass(frozen=True)
class Outcome:
    """What became of an order.

    Attributes:
        code: one of this module's, or of a worker that ended otherwise: -9 if killed.
        said: its last words: the reason where it is not done, warnings where it is.
        seconds: of wall time.
        gibibytes: of memory at most, as far as it is known.
        host: name of the machine.
        starts: how often it was begun: more than once if Slurm has queued its job again.
    """

    code: int
    said: str = ""
    seconds: float = 0.0
    gibibytes: float = 0.0
    host: str = ""
    starts: int = 1

    @property
    def reason(self) -> str:
        """Why the run is not done, in one line; what a worker said before it was killed is none."""
        lines = self.said.strip().splitlines()
        return lines[-1] if lines and self.code >= 0 else f"killed (exit code {self.code})"

    @property
    def warning(self) -> str:
        """What a run that is done has warned of, in one line; mostly nothing.

        A worker's last line is its own, if only an empty one; what others print comes before.
        """
        lines = self.said.splitlines()
        return lines[-1] if lines and self.code == DONE else ""

    @classmethod
    def from_record(cls, found: Mapping[str, Any]) -> Outcome:
        """From a record of all attributes by name."""
        return cls(**found)
