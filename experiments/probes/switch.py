"""What a change of task costs: performance on trials that repeat a task against those that switch.

Source: Monsell 2003, "Task switching", where the measure is errors and reaction times.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure

from metalocus.agents.agent import Agent, Array
from metalocus.agents.rollout import Trial, rollout
from metalocus.envs import InvalidTask
from metalocus.envs.families.cued_switching import CuedSwitching
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.probes.figures import LINES, by_label, dots
from metalocus.experiments.scoring.chunks import Chunk, Chunks
from metalocus.experiments.scoring.curves import number
from metalocus.experiments.scoring.sample import Sample

COSTS = {"switch": "change of task", "congruence": "incongruent digits"}


class Switch(Probe):
    """Costs of a switch and of incongruence on the cued task switch, and on no other task.

    Performance is the expected reward of each choice.
    """

    name: ClassVar[str] = "switch"
    question: ClassVar[str] = "what does a change of task cost, and what does incongruence?"
    quantities: ClassVar[Mapping[str, str]] = {
        "cost": "expected reward lost by a change of task, or by incongruent digits",
        "one": "expected reward on trials that repeat the task, or with congruent digits",
        "other": "expected reward on trials that switch the task, or with incongruent digits",
    }

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """:func:`cost` of a switch under ``switch``, of incongruent digits under ``congruence``."""
        family = chunks.setting.family
        if not isinstance(family, CuedSwitching):
            raise InvalidTask(f"switch costs are those of CuedSwitching, not of {family.name}")
        switches, congruence = Sample(), Sample()
        for chunk in chunks:
            performance, task, congruent = _play(agent, family, chunk)
            switches.add(by_repetition(performance, task))
            congruence.add(by_kind(performance, congruent, ~congruent))
        return {"switch": cost(switches), "congruence": cost(congruence)}

    def sentence(self, result: Result) -> str:
        """Both costs."""
        switch, congruence = (self.row(result, "cost", name) for name in COSTS)
        return (
            f"A change of task costs {switch} of expected reward a trial, and incongruent digits"
            f" cost {congruence}."
        )

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """Both costs with their intervals."""
        ax, rows = figure.subplots(), by_label(self.rows(result), "cost")
        shown = [name for name in COSTS if name in rows]
        colours = [LINES[1][0]] * len(shown)
        dots(ax, [rows[name][0] for name in shown], [COSTS[name] for name in shown], colours)
        ax.set_xlabel("expected reward lost a trial")
        return figure


def _play(agent: Agent, family: CuedSwitching, chunk: Chunk) -> tuple[Array, Array, Array]:
    """Performance, task and congruence of every trial, each [T, N]."""
    episodes = chunk.episodes()
    tasks, congruent = [], []

    def observe(trial: Trial) -> None:
        tasks.append(episodes.latents["task"])
        congruent.append(family.congruent(episodes.latents))

    trace = rollout(agent, episodes, chunk.start_seed, observe=observe)
    return trace.value, np.stack(tasks), np.stack(congruent)


def by_repetition(performance: Array, task: Array) -> Array:
    """:func:`by_kind` of trials that repeat the task of the trial before and of switches.

    The first trial of an episode is neither.

    Args:
        performance: of every trial, [T, N]: a reward, its expectation, or 0 and 1.
        task: what was asked, [T, N].
    """
    repeat = task[1:] == task[:-1]
    return by_kind(performance[1:], repeat, ~repeat)


def by_kind(performance: Array, one: Array, other: Array) -> Array:
    """Summed performance on, and number of, the trials of one kind, then of another, [4, N].

    Args:
        performance: [T, N].
        one: which trials are of the first kind, [T, N] booleans.
        other: which are of the second, [T, N] booleans.
    """
    parts = [part for kind in (one, other) for part in (performance * kind, kind)]
    return np.stack([part.sum(axis=0) for part in parts])


def cost(sums: Sample) -> Result:
    """Mean performance on one kind of trial minus that on the other, pooled over episodes.

    A cost is what is lost, so it is positive where the other kind hurts.

    Args:
        sums: from :func:`by_kind`.

    Returns:
        ``one`` and ``other``, the means; their difference ``cost``; its standard error over
        episodes ``cost_se``. None where there are no such trials.
    """
    first, first_deviation = _pooled(*sums.columns[:2])
    second, second_deviation = _pooled(*sums.columns[2:])
    return {
        "one": number(first),
        "other": number(second),
        "cost": number(first - second),
        "cost_se": number(float(sums.standard_error(first_deviation - second_deviation))),
    }


def _pooled(total: Array, count: Array) -> tuple[float, Array]:
    """Mean over the trials of a kind, and each episode's part in its error, linearised [M].

    NaN where there is no such trial.
    """
    per_episode = count.mean() if count.any() else np.nan
    mean = total.mean() / per_episode
    return float(mean), (total - mean * count) / per_episode
