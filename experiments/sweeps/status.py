"""How far sweeps in a folder are, from what their drivers have written there, and nothing else.

A few journals are read, not the runs: of a hundred thousand runs in seconds. What is running is
told by its driver's heartbeat, from any machine that sees the folder.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from metalocus.agents.ppo.files import Corrupt, read_record
from metalocus.experiments.folders.folder import NotARun
from metalocus.experiments.folders.lease import held_of
from metalocus.experiments.folders.places import folder_of_run
from metalocus.experiments.folders.progress import read_progress
from metalocus.experiments.runs.commands import train_command
from metalocus.experiments.runs.listing import DAMAGED, FINISHED, UNFINISHED, list_runs
from metalocus.experiments.runs.records import read_config
from metalocus.experiments.sweeps.journal import BEGUN, ENDED, FOLDER, KNOWN, Event, events
from metalocus.experiments.sweeps.order import BUSY, DONE

STATES = ("done", "running", "failed", "stopped", "waiting")
"""Stopped: begun, but its driver is gone; the same command goes on with it."""
LONGEST_NAME = 255
"""Bytes that a file system takes."""


@dataclass(frozen=True)
class Failure:
    """A run that failed.

    Attributes:
        run: its name.
        reason: of the last attempt.
        attempts: that were made, by all commands.
        host: where the last one was.
        command: that makes this run alone, or all of its sweep if its settings cannot be read.
    """

    run: str
    reason: str
    attempts: int
    host: str
    command: str


@dataclass(frozen=True)
class Status:
    """How far sweeps are.

    Attributes:
        total: runs that are asked for.
        counts: of them, by state.
        running: how far each is that runs, by name.
        failures: those that failed.
        seconds_left: if it goes on as it did; None where nobody knows.
        commands: that ask for the runs.
    """

    total: int
    counts: dict[str, int]
    running: dict[str, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    seconds_left: float | None = None
    commands: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def status(folder: Path) -> Status:
    """How far the sweeps in a folder of runs, or of a debate or comparison, are.

    Raises:
        NotARun: there are no runs.
    """
    out = (
        folder if (folder / FOLDER).is_dir() or not (folder / "runs").is_dir() else folder / "runs"
    )
    if not (out / FOLDER).is_dir():
        return _of_runs(out)
    commands, wanted = _plans(out)
    told = _Told(out)
    wanted |= told.done | told.alive.keys()
    states = {name: told.state_of(name) for name in wanted}
    counts = Counter(states.values())
    names = [name for name, state in states.items() if state == "running"]
    running = {clean(name): _progress(out, name) for name in names}
    failed = sorted(name for name, state in states.items() if state == "failed")
    return Status(
        len(wanted),
        {state: counts[state] for state in STATES},
        running,
        [_failure(out, name, told, commands) for name in failed],
        told.seconds_left(counts),
        [clean(command) for command in commands],
    )


class _Told:
    """What journals say of every run: its last event by each driver, and which drivers live."""

    def __init__(self, out: Path) -> None:
        self.last: dict[str, dict[Path, Event]] = defaultdict(dict)
        self.done: set[str] = set()
        self.attempts: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}
        for event in sorted(events(out), key=lambda event: event.at):
            with suppress(KeyError, TypeError, ValueError, OverflowError):
                self._take(event)
        unfinished = [
            (name, event)
            for name, by_driver in self.last.items()
            for event in by_driver.values()
            if name not in self.done and not _is_final(event)
        ]
        living = held_of({event.driver for _, event in unfinished})
        self.alive: dict[str, set[str]] = defaultdict(set)
        for name, event in unfinished:
            if event.driver in living:
                self.alive[name].add(event.event)

    def _take(self, event: Event) -> None:
        values = event.values
        if event.event == KNOWN:
            self.done |= {str(name) for name in values["runs"]}
        elif event.event in (BEGUN, ENDED):
            name = str(values["run"])
            self.last[name].pop(event.driver, None)  # so that the newest is the last
            self.last[name][event.driver] = event
            if event.event == ENDED:
                self.attempts[name] += int(values["attempt"]) > 0 and values["code"] != BUSY
                if values["code"] == DONE:
                    self.done.add(name)
                    seconds = float(values["seconds"])
                    if math.isfinite(seconds):  # the longest: others have found it done
                        self.seconds[name] = max(seconds, self.seconds.get(name, 0.0))

    def state_of(self, name: str) -> str:
        """One of ``STATES``."""
        if name in self.done:
            return "done"
        if name in self.alive:
            return "running" if BEGUN in self.alive[name] else "waiting"
        if name not in self.last:
            return "waiting"
        return "failed" if _is_final(self.newest(name)) else "stopped"

    def newest(self, name: str) -> Event:
        """The last event of a run that some driver has begun."""
        return list(self.last[name].values())[-1]

    def seconds_left(self, counts: Counter[str]) -> float | None:
        """If the rest takes as long as what was done, as many at once as now."""
        if not self.seconds or not counts["running"]:
            return None
        mean = sum(self.seconds.values()) / len(self.seconds)
        left = counts["waiting"] + counts["stopped"] + counts["running"] / 2
        seconds = mean * left / counts["running"]
        return seconds if math.isfinite(seconds) else None


def _is_final(event: Event) -> bool:
    """Whether its driver does not go on with the run."""
    return event.event == ENDED and not event.values.get("again")


def _plans(out: Path) -> tuple[list[str], set[str]]:
    """The commands that ask for runs, and the names of all that they ask for."""
    commands, names = [], set()
    for file in sorted((out / FOLDER).glob("plan-*.json")):
        with suppress(Corrupt, KeyError, TypeError):
            plan = read_record(file, "")
            commands.append(str(plan["command"]))
            names |= {str(name) for name in plan["runs"]}
    return list(dict.fromkeys(commands)), names


def _progress(out: Path, name: str) -> str:
    """How far a run is, for people."""
    if not _is_plain(name):
        return ""
    found = read_progress(folder_of_run(out, name))
    if found is None:
        return "begun"
    return ", ".join(
        part for part in (f"{found.steps:,} of {found.total:,} steps", str(found)) if part
    )


def _failure(out: Path, name: str, told: _Told, commands: list[str]) -> Failure:
    values = told.newest(name).values
    command = commands[-1] if commands else ""
    if _is_plain(name):
        with suppress(NotARun, ValueError):
            folder = folder_of_run(out, name)
            command = train_command(read_config(folder), folder.parent)
    reason, host = str(values.get("reason", "")), str(values.get("host", ""))
    return Failure(clean(name), clean(reason), told.attempts[name], clean(host), clean(command))


def _is_plain(name: str) -> bool:
    """Whether a name that a file gave is that of a folder, and leads nowhere else."""
    try:
        short = len(name.encode("utf-8", "surrogateescape")) <= LONGEST_NAME
    except UnicodeEncodeError:  # half of a character
        return False
    return short and name == Path(name).name and name not in ("", ".", "..") and "\0" not in name


def clean(text: str) -> str:
    """A text of a file without what a terminal would obey."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
        for c in text
    )


def _of_runs(folder: Path) -> Status:
    """Of a folder without a journal: the runs themselves are read."""
    runs = list_runs(folder)
    working = held_of(Path(run["folder"]) for run in runs if run["state"] == UNFINISHED)
    counts = dict.fromkeys(STATES, 0)
    failures = []
    for run in runs:
        if run["state"] == FINISHED:
            counts["done"] += 1
        elif run["state"].startswith(DAMAGED):
            counts["failed"] += 1
            name = clean(Path(run["folder"]).name)
            failures.append(Failure(name, clean(run["state"]), 0, "", ""))
        else:
            counts["running" if Path(run["folder"]) in working else "stopped"] += 1
    return Status(len(runs), counts, failures=failures)
