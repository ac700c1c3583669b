"""Agents as a survey names them; what was measured of them is kept in files."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metalocus.agents.catalogue import ONLINE, REFERENCES
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.files import Corrupt, read_record, record_digest, write_record
from metalocus.envs import FAMILIES, Setting
from metalocus.experiments.runs.records import versions
from metalocus.experiments.runs.source import source_digest
from metalocus.experiments.runs.subject import Subject, find_subject

Record = dict[str, Any]


@dataclass(frozen=True)
class Player:
    """An agent by what a person names.

    Attributes:
        what: a run directory, or the name of a reference or an online rule.
        setting: that a named agent plays; None for a run, which knows its own.
    """

    what: str
    setting: Setting | None = None

    def subject(self) -> Subject:
        """The agent itself; a warning of other code that made a run is not repeated.

        Raises:
            NotARun, Corrupt, NonFinite: the run cannot be read.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return find_subject(self.what, self.setting)


@dataclass(frozen=True)
class Task:
    """What was found on one task.

    Attributes:
        setting: the task.
        standing: how its agents score, as ``survey.standing`` finds it.
        findings: by agent, then probe, as ``survey.survey`` finds them.
    """

    setting: Setting
    standing: Record
    findings: Sequence[Record]


def kept(out: Path, name: str, key: Record, measure: Callable[[], Record]) -> Record:
    """What is kept under a key, or what is measured now and then kept.

    Args:
        out: folder of records.
        name: the file's name begins with it.
        key: all that decides what is measured, ready for JSON.
        measure: called if nothing is kept, or if it is damaged.

    Returns:
        The key and what was measured.
    """
    file = out / f"{name}-{record_digest(key)[:12]}.json"
    try:
        found = read_record(file, "it is made again")
        if {entry: found.get(entry) for entry in key} == key:
            return found
    except Corrupt:
        pass  # there is none, or it is damaged
    write_record(file, {**key, **measure()})
    return read_record(file, "measure it again")


def decided_by(subject: Subject, *modules: str) -> Record:
    """What decides a measurement of an agent: which it is, its task, its weights, the source.

    Args:
        subject: what is measured.
        modules: that measure.
    """
    registries = (FAMILIES, TRAINABLES, REFERENCES, ONLINE)
    found = {module for registry in registries for module in registry.sources()}
    return {
        "agent": subject.called,
        **subject.setting.to_dict(),
        "weights": subject.recorded.get("sha256"),
        "source": source_digest(*modules, *found),
        "versions": versions(),
    }
