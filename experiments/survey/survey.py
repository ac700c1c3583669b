"""Every probe on every agent, each finding kept in a file of its own."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from metalocus.agents.catalogue import ONLINE, REFERENCES
from metalocus.agents.ppo.files import Corrupt, read_record, record_digest, write_record
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.display import Stage
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.probes.measure import measure
from metalocus.experiments.runs.folder import require_writable
from metalocus.experiments.runs.records import load_manifest, versions
from metalocus.experiments.runs.source import source_digest
from metalocus.experiments.runs.subject import Subject, find_subject
from metalocus.experiments.studies.pool import in_processes

Finding = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """One probe on one agent.

    Attributes:
        what: a run directory, or the name of a reference or an online rule.
        setting: that a named agent plays; None for a run, which knows its own.
        probe: its name.
        episodes: fresh episodes, of seed 0.
        out: folder of findings.
    """

    what: str
    setting: Setting | None
    probe: str
    episodes: int
    out: Path

    def answer(self) -> Finding:
        """What is kept, or what is found now: a sentence, or why there is no answer.

        Raises:
            NotARun, Corrupt, NonFinite: the run cannot be read.
        """
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of other code that made a run: the survey says it once
            subject = find_subject(self.what, self.setting)
        key = self._key(subject)
        file = self.out / f"{self.probe}-{record_digest(key)[:12]}.json"
        try:
            kept = read_record(file, "it is made again")
            if {name: kept.get(name) for name in key} == key:
                return kept
        except Corrupt:
            pass  # there is none, or it is damaged
        write_record(file, {**key, **self._find(subject)})
        return read_record(file, "measure it again")

    def _key(self, subject: Subject) -> Finding:
        """All that decides the finding, ready for JSON."""
        weights = None
        if subject.folder is not None:
            weights = load_manifest(subject.folder)["sha256"]
        probe = PROBES[self.probe].__module__
        return {
            "probe": self.probe,
            "agent": subject.name,
            "title": subject.title,
            **subject.setting.to_dict(),
            "weights": weights,
            "episodes": self.episodes,
            "source": source_digest(probe, __name__),
            "versions": versions(),
        }

    def _find(self, subject: Subject) -> Finding:
        try:
            result = measure(subject, self.probe, self.episodes)
        except InvalidTask as reason:
            return {"none": str(reason)}
        return {"sentence": PROBES[self.probe]().sentence(result)}


def survey(runs: Sequence[Path], names: Sequence[str], episodes: int, out: Path) -> list[Finding]:
    """The finding of every probe on every run, and on named agents that play the same settings.

    Args:
        runs: run directories.
        names: of references and online rules.
        episodes: fresh episodes of each measurement.
        out: folder of findings; what is there already is not measured again.

    Returns:
        By setting, then agent, then probe.

    Raises:
        WrongUse: no run is named, a name is unknown, or ``out`` cannot be written.
        NotARun, Corrupt, NonFinite: a run cannot be read.
        RunFailed: a measuring process was killed.
    """
    if not runs:
        raise WrongUse("name at least one run directory")
    unknown = [name for name in names if name not in {*REFERENCES, *ONLINE}]
    if unknown:
        raise WrongUse(f"{', '.join(unknown)}: not the name of a reference or an online rule")
    require_writable(out)
    out.mkdir(parents=True, exist_ok=True)
    questions = [
        Question(what, setting, probe, episodes, out)
        for what, setting in _subjects(runs, names)
        for probe in PROBES
    ]
    answers: dict[int, Finding] = {}
    with Stage("surveying", len(questions), "findings") as stage:
        done = in_processes([partial(Question.answer, each) for each in questions])
        for count, (number, finding) in enumerate(done, 1):
            answers[number] = finding
            stage.update(count)
    return [answers[number] for number in range(len(questions))]


def _subjects(runs: Sequence[Path], names: Iterable[str]) -> list[tuple[str, Setting | None]]:
    """Every run, and after those of a setting the named agents that can play it."""
    by_setting: dict[str, tuple[Setting, list[str]]] = {}
    for run in runs:
        setting = find_subject(run).setting
        by_setting.setdefault(str(setting), (setting, []))[1].append(str(run))
    registry = {**REFERENCES, **ONLINE}
    found: list[tuple[str, Setting | None]] = []
    for setting, folders in by_setting.values():
        found += [(folder, None) for folder in folders]
        able = [name for name in names if registry[name].why_not(setting.family) is None]
        found += [(name, setting) for name in able]
    return found
