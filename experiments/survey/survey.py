"""Every probe on every agent, task by task, each finding kept in a file of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import signature
from itertools import product
from pathlib import Path

from metalocus.agents.catalogue import ONLINE, REFERENCES
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.display import Stage
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.lease import require_writable
from metalocus.experiments.probes import measure as measuring
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.probes.measure import measure
from metalocus.experiments.runs.subject import find_subject
from metalocus.experiments.survey import standing as standings
from metalocus.experiments.survey.kept import Player, Record, Task, decided_by, kept
from metalocus.experiments.sweeps.executors.chosen import in_processes


@dataclass(frozen=True)
class Question:
    """One probe on one agent.

    Attributes:
        player: the agent.
        probe: its name.
        episodes: fresh episodes, of seed 0.
        out: folder of findings.
        others: of the same setting, with which the agent is compared.
    """

    player: Player
    probe: str
    episodes: int
    out: Path
    others: Sequence[Player] = ()

    def answer(self) -> Record:
        """What is kept, or what is found now: a ``sentence``, or why there is ``none``.

        Raises:
            NotARun, Corrupt, NonFinite: a run cannot be read.
        """
        subject, rest = self.player.subject(), [other.subject() for other in self.others]
        modules = PROBES[self.probe].__module__, measuring.__name__
        key = {
            "probe": self.probe,
            **decided_by(subject, *modules),
            "others": [
                {"agent": each.called, "weights": each.recorded.get("sha256")} for each in rest
            ],
            "episodes": self.episodes,
        }

        def find() -> Record:
            given = {"others": [other.agent for other in rest]} if rest else {}
            try:
                result = measure(subject, self.probe, self.episodes, probe_kwargs=given)
            except InvalidTask as reason:
                return {"none": str(reason)}
            return {"sentence": PROBES[self.probe]().sentence(result)}

        return kept(self.out, self.probe, key, find)


@dataclass(frozen=True)
class Standing:
    """How agents score that play the same episodes of one setting.

    Attributes:
        players: the agents.
        out: folder of what is kept.
    """

    players: Sequence[Player]
    out: Path

    def answer(self) -> Record:
        """What is kept, or what is measured now by ``standing``.

        Raises:
            NotARun, Corrupt, NonFinite: a run cannot be read, or a return is not finite.
        """
        subjects = [player.subject() for player in self.players]
        decided = [decided_by(subject, standings.__name__) for subject in subjects]
        key = {"of": decided}
        return kept(self.out, "standing", key, partial(standings.standing, subjects))


def survey(runs: Sequence[Path], names: Sequence[str], episodes: int, out: Path) -> list[Task]:
    """The finding of every probe on every run, and on named agents that play the same settings.

    Args:
        runs: run directories.
        names: of references and online rules.
        episodes: fresh episodes of each measurement.
        out: folder of findings; what is there already is not measured again.

    Returns:
        By setting, in the order of the runs.

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
    asked: list[Question | Standing] = []
    tasks = []
    for setting, players in _by_setting(runs, names):
        first = len(asked)
        asked.append(Standing(players, out))
        asked += _questions(players, episodes, out)
        tasks.append((setting, first, len(asked)))
    answers: dict[int, Record] = {}
    with Stage("surveying", len(asked), "findings") as stage:
        done = in_processes([each.answer for each in asked])
        for count, (number, finding) in enumerate(done, 1):
            answers[number] = finding
            stage.advance(count)
    return [
        Task(setting, answers[first], [answers[number] for number in range(first + 1, end)])
        for setting, first, end in tasks
    ]


def _questions(players: Sequence[Player], episodes: int, out: Path) -> Iterator[Question]:
    """Every probe on every agent; one that compares agents once, on all the runs together."""
    runs = [player for player in players if player.setting is None]
    for player, probe in product(players, PROBES):
        if "others" not in signature(PROBES[probe]).parameters:
            yield Question(player, probe, episodes, out)
        elif player == runs[0]:
            yield Question(player, probe, episodes, out, runs[1:])


def _by_setting(
    runs: Sequence[Path], names: Iterable[str]
) -> Iterator[tuple[Setting, list[Player]]]:
    """The runs of every setting, and after them the named agents that can play it."""
    found: dict[str, tuple[Setting, list[Player]]] = {}
    for run in runs:
        setting = find_subject(run).setting
        found.setdefault(str(setting), (setting, []))[1].append(Player(str(run)))
    registry = {**REFERENCES, **ONLINE}
    for setting, players in found.values():
        able = [name for name in names if registry[name].why_not(setting.family) is None]
        yield setting, players + [Player(name, setting) for name in able]
