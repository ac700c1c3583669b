"""How agents of one task score, beside random choice, simple rules and the best reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metalocus.agents.agent import Agent, Array
from metalocus.agents.catalogue import REFERENCES, best_reference, make_named
from metalocus.envs import Setting
from metalocus.experiments.runs.subject import Subject
from metalocus.experiments.scoring.intervals import episode_interval
from metalocus.experiments.scoring.returns import expected_returns

SIMPLE = ("wsls", "rescorla_wagner", "greedy")
"""Rules that an agent has to surpass to have learned a task, as far as they can play it."""
EPISODES = 2000
"""Fresh ones; the intervals of paired differences are then about .01 of the score."""


def standing(subjects: Sequence[Subject]) -> dict[str, Any]:
    """How agents score that play the same episodes of one setting: ``agents`` and ``rules``.

    A row for each is ``agent``, the ``return`` with its interval and the ``score`` (0 random
    choice, 1 the best reference, None where they are equal); that of an agent has the ``steps`` it
    was trained for, None if it was not, and the simple rules that it is ``not_above``.

    Raises:
        NonFinite: a return is not finite.
    """
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
        row = _row(subject.called, own, bounds)
        steps = subject.recorded.get("steps")
        agents.append({**row, "steps": steps, "not_above": behind})
    return {"agents": agents, "rules": [_row(name, x, bounds) for name, x in marks.items()]}


def _played(agent: Agent, setting: Setting) -> Array:
    """Expected return of every episode, [N]; the same episodes for all."""
    return expected_returns(agent, setting, EPISODES, 0)


def _row(name: str, returns: Array, bounds: tuple[float, float]) -> dict[str, Any]:
    mean, low, high = episode_interval(returns)
    chance, best = bounds
    score = None if chance == best else (mean - chance) / (best - chance)
    return {"agent": name, "return": [mean, low, high], "score": score}
