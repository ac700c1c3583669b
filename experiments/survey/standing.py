"""How agents of one task score, beside random choice, simple rules and the best reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metalocus.agents.agent import Agent, Array, Stores
from metalocus.agents.catalogue import REFERENCES, best_reference, make_named
from metalocus.envs import Setting
from metalocus.experiments.runs.subject import Subject
from metalocus.experiments.scoring.intervals import episode_interval
from metalocus.experiments.scoring.returns import expected_returns

SIMPLE = (
    "wsls",
    "rescorla_wagner",
    "greedy",
    "model_free",
    "reward_as_cue",
    "nearest_neighbours",
)
"""Rules that an agent has to surpass to have learned a task, as far as they can play it. The last
three see what is shown: the second stage of the two-step task, the examples of a labelled rule."""
UNTAUGHT = "the best reference, taught nothing"
"""What the task's regularities earn without anything learned in the episode."""
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
    optimum, untaught = _played(best, setting), _played(_Untaught(best), setting)
    if setting.family.stimulus_size and episode_interval(optimum - untaught)[1] > 0:
        simple[UNTAUGHT] = untaught
    marks = {
        "random": _played(make_named("random", setting.family), setting),
        **simple,
        best.name: optimum,
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


class _Untaught(Agent):
    """Chooses at every trial as another agent would at the episode's first.

    On card sorting it is the best that can be made of a card by one that knows how cards and rules
    are drawn, and takes in no feedback. Where a cue tells all it is the best
    reference itself, and no rule to surpass.
    """

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.omniscient = agent.omniscient  # type: ignore[misc]  # as the agent's class is

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The agent's own."""
        return self.agent.start(n, rng)

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The agent's own choice, from the same stores at every trial."""
        return self.agent.act(stimulus, stores)[0], stores


def _played(agent: Agent, setting: Setting) -> Array:
    """Expected return of every episode, [N]; the same episodes for all."""
    return expected_returns(agent, setting, EPISODES, 0)


def _row(name: str, returns: Array, bounds: tuple[float, float]) -> dict[str, Any]:
    mean, low, high = episode_interval(returns)
    chance, best = bounds
    score = None if chance == best else (mean - chance) / (best - chance)
    return {"agent": name, "return": [mean, low, high], "score": score}
