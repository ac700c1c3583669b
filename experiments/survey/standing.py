"""How agents of one task score, beside random choice, simple rules and the best reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from metalocus.agents.agent import Agent, Array
from metalocus.agents.catalogue import REFERENCES, best_reference, make_named
from metalocus.envs import Setting
from metalocus.experiments.runs.records import load_manifest
from metalocus.experiments.runs.subject import Subject
from metalocus.experiments.scoring.intervals import episode_interval
from metalocus.experiments.scoring.returns import expected_returns
from metalocus.experiments.survey.kept import Player, Record, called, decided_by, kept

SIMPLE = ("wsls", "rescorla_wagner", "greedy")
"""Rules that an agent has to surpass to have learned a task, as far as they can play it."""
EPISODES = 2000
"""Fresh ones; the intervals of paired differences are then about .01 of the score."""


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
        """What is kept, or what is measured now: ``agents`` and ``rules``, a row for each.

        A row is ``agent``, the ``return`` with its interval and the ``score`` (0 random choice, 1
        the best reference, None where they are equal); that of an agent has the ``steps`` it was
        trained for, None if it was not, and the simple rules that it is not ``above``.

        Raises:
            NotARun, Corrupt, NonFinite: a run cannot be read, or a return is not finite.
        """
        subjects = [player.subject() for player in self.players]
        decided = [decided_by(subject, __name__) for subject in subjects]
        return kept(self.out, "standing", {"of": decided}, partial(_measure, subjects))


def _measure(subjects: Sequence[Subject]) -> Record:
    setting = subjects[0].setting
    rules = {name: REFERENCES[name] for name in SIMPLE}
    simple = {
        name: _played(cls(setting.family), setting)
        for name, cls in rules.items()
        if cls.why_not(setting.family) is None
    }
    best = best_reference(setting.family)
    marks = {
        "random": _played(make_named("random", setting.family), setting),
        **simple,
        best.name: _played(best, setting),
    }
    bounds = marks["random"].mean(), marks[best.name].mean()
    agents = []
    for subject in subjects:
        own = _played(subject.agent, setting)
        behind = [name for name, each in simple.items() if episode_interval(own - each)[1] <= 0]
        steps = None if subject.folder is None else load_manifest(subject.folder)["steps"]
        row = _row(called(subject), own, bounds)
        agents.append({**row, "steps": steps, "not_above": behind})
    return {"agents": agents, "rules": [_row(name, x, bounds) for name, x in marks.items()]}


def _played(agent: Agent, setting: Setting) -> Array:
    """Expected return of every episode, [N]; the same episodes for all."""
    return expected_returns(agent, setting, EPISODES, 0)


def _row(name: str, returns: Array, bounds: tuple[float, float]) -> Record:
    mean, low, high = episode_interval(returns)
    chance, best = bounds
    score = None if chance == best else (mean - chance) / (best - chance)
    found: dict[str, Any] = {"agent": name, "return": [mean, low, high], "score": score}
    return found
