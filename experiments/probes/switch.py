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
from metalocus.envs import Setting
from metalocus.envs.families.cued_switching import CuedSwitching
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.probes.figures import LINES, by_label, column, dots
from metalocus.experiments.probes.rows import REACH
from metalocus.experiments.scoring.chunks import Chunk, Chunks
from metalocus.experiments.scoring.curves import number
from metalocus.experiments.scoring.sample import Sample

COSTS = {"switch": "change of task", "congruence": "incongruent digits"}
PRACTICE = (1, 2, 3, 5, 9, 17, 33)
"""Earlier trials of a task at which a class of equal practice begins; each twice as long as the
one before, so that runs of any length have both kinds of trial in one class."""
PLACES = 4
"""Places in a run of one task that are told apart; the last one is of all that follow too."""


class Switch(Probe):
    """Costs of a switch and of incongruence on the cued task switch, and on no other task.

    Performance is the expected reward of each choice. Where keys must be learned, a task is less
    practised when it has just changed: its first trial of an episode is never a repetition. So
    trials that repeat and trials that switch are compared where the task was asked before equally
    often in the episode (see :data:`PRACTICE`). ``place`` shows performance along a run of one
    task, so that a cost of the change is told from a steady rise.
    """

    name: ClassVar[str] = "switch"
    question: ClassVar[str] = "what does a change of task cost, and what does incongruence?"
    example: ClassVar[tuple[str, Setting]] = (
        "sluggish",
        Setting("metalocus/CuedSwitching-v0", horizon=8),
    )
    quantities: ClassVar[Mapping[str, str]] = {
        "cost": "expected reward lost by a change of task, or by incongruent digits",
        "one": "expected reward on trials that repeat the task, or with congruent digits",
        "other": "expected reward on trials that switch the task, or with incongruent digits",
        "place": "expected reward by place in a run of one task (1 is the switch)",
    }

    def why_not(self, agent: Agent, setting: Setting) -> str | None:
        """Only the cued task switch has such trials."""
        if isinstance(setting.family, CuedSwitching):
            return None
        return f"switch costs are those of CuedSwitching, not of {setting.family.name}"

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """:func:`cost` of a switch under ``switch``, of incongruent digits under ``congruence``."""
        switches, congruence, places = Sample(), Sample(), Sample()
        for chunk in chunks:
            performance, task, congruent = _play(agent, chunk)
            switches.add(by_repetition(performance, task))
            congruence.add(by_kind(performance, congruent, ~congruent))
            places.add(by_place(performance, task))
        return {
            "switch": cost(switches),
            "congruence": cost(congruence),
            **_along_runs(places),
        }

    def sentence(self, result: Result) -> str:
        """Both costs."""
        switch, congruence = (self.row(result, "cost", name) for name in COSTS)
        return (
            f"A change of task costs {switch} of expected reward a trial, beside trials that repeat"
            f" a task as often asked before, and incongruent digits cost {congruence}."
        )

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """Both costs with their intervals, and performance along runs."""
        left, right = figure.subplots(1, 2, width_ratios=[1.2, 1])
        rows = by_label(self.rows(result), "cost")
        shown = [name for name in COSTS if name in rows]
        colours = [LINES[1][0]] * len(shown)
        dots(left, [rows[name][0] for name in shown], [COSTS[name] for name in shown], colours)
        left.set_xlabel("expected reward lost a trial")
        places = by_label(self.rows(result), "place")
        known = [label for label in places if places[label][0].value is not None]
        values, errors = column([places[label][0] for label in known], "value", "se")
        at = [list(places).index(label) for label in known]
        right.errorbar(at, values, REACH * errors, fmt="o-", color=LINES[1][0], capsize=3)
        right.set_xticks(range(len(places)), list(places))
        right.set_ylim(-0.02, 1.05)
        right.set(xlabel="place in a run of one task", ylabel="expected reward")
        return figure


def _play(agent: Agent, chunk: Chunk) -> tuple[Array, Array, Array]:
    """Performance, task and congruence of every trial, each [T, N]."""
    episodes, family = chunk.episodes(), chunk.setting.family
    assert isinstance(family, CuedSwitching)  # why_not has refused all others
    tasks, congruent = [], []

    def observe(trial: Trial) -> None:
        tasks.append(episodes.latents["task"])
        congruent.append(family.congruent(episodes.latents))

    trace = rollout(agent, episodes, chunk.start_seed, observe=observe)
    return trace.value, np.stack(tasks), np.stack(congruent)


def by_repetition(performance: Array, task: Array) -> Array:
    """:func:`by_kind` of trials that repeat the task of the trial before and of switches.

    A class is of trials whose task was asked about equally often before. The first trial of an
    episode is neither.

    Args:
        performance: of every trial, [T, N]: a reward, its expectation, or 0 and 1.
        task: what was asked, [T, N].
    """
    repeat = task[1:] == task[:-1]
    practice = np.digitize(_asked_before(task)[1:], PRACTICE)
    classes = practice == np.arange(len(PRACTICE) + 1)[:, None, None]
    return by_kind(performance[1:], repeat, ~repeat, classes)


def by_kind(performance: Array, one: Array, other: Array, classes: Array | None = None) -> Array:
    """Summed performance on, and number of, trials of one kind, then of another, [4 C, N].

    Args:
        performance: [T, N].
        one: which trials are of the first kind, [T, N] booleans.
        other: which are of the second, [T, N] booleans.
        classes: which trials are of each class [C, T, N], within which the kinds are compared;
            None if all are of one.
    """
    within = np.ones((1, *one.shape), dtype=bool) if classes is None else classes
    parts = [part for kind in (one, other) for part in (performance * kind, kind)]
    return np.concatenate([(part * within).sum(axis=1) for part in parts])


def by_place(performance: Array, task: Array) -> Array:
    """Summed performance, then number of trials, by place in a run of one task, [2 PLACES, N].

    The run at the beginning of an episode is left out, and so is the first trial of a task.
    """
    known = _asked_before(task) > 0
    switched = np.zeros(task.shape, dtype=bool)
    switched[1:] = task[1:] != task[:-1]
    t = np.arange(len(task))[:, None]
    began = np.maximum.accumulate(np.where(switched, t, -1), axis=0)
    place = np.minimum(t - began, PLACES - 1)
    within = (place == np.arange(PLACES)[:, None, None]) & (began >= 0) & known
    return np.concatenate([(performance * within).sum(axis=1), within.sum(axis=1)])


def _asked_before(task: Array) -> Array:
    """How often the task of each trial was asked earlier in the episode, [T, N]."""
    before = np.zeros(task.shape, dtype=np.int64)
    for each in np.unique(task):
        asked = task == each
        before += asked * (np.cumsum(asked, axis=0) - 1)
    return before


def cost(sums: Sample) -> Result:
    """Mean performance on one kind of trial minus that on the other, pooled over episodes.

    A cost is what is lost, so it is positive where the other kind hurts. Classes count by the
    weights n m / (n + m), for n trials of the one kind and m of the other (Mantel & Haenszel 1959,
    "Statistical aspects of the analysis of data from retrospective studies of disease").

    Args:
        sums: from :func:`by_kind`.

    Returns:
        ``one`` and ``other``, the means; their difference ``cost``; its standard error over
        episodes ``cost_se``. None where there are no such trials.
    """
    total, count = sums.columns.reshape(2, 2, -1, sums.columns.shape[-1]).swapaxes(0, 1)
    n = count.mean(axis=-1)
    compared = (n > 0).all(axis=0)
    if not compared.any():
        one, other = (_pooled(*each) for each in zip(total, count, strict=True))
        return {"one": one, "other": other, "cost": None, "cost_se": None}
    total, count, n = total[:, compared], count[:, compared], n[:, compared]
    mean = total.mean(axis=-1) / n
    weight = n.prod(axis=0) / n.sum(axis=0)
    one, other = (mean * weight).sum(axis=1) / weight.sum()
    # each episode's part in the error of the means, then of the weights, linearised
    off = (total - mean[..., None] * count) / n[..., None]
    moved = ((n[::-1] / n.sum(axis=0))[..., None] ** 2 * (count - n[..., None])).sum(axis=0)
    apart = mean[0] - mean[1] - (one - other)
    deviation = (weight @ (off[0] - off[1]) + apart @ moved) / weight.sum()
    return {
        "one": number(one),
        "other": number(other),
        "cost": number(one - other),
        "cost_se": number(float(sums.standard_error(deviation))),
    }


def _pooled(total: Array, count: Array) -> float | None:
    """Mean over all trials of a kind, [C, M] each; None where there is no such trial."""
    return number(total.sum() / count.sum()) if count.any() else None


def _along_runs(sums: Sample) -> Result:
    """Means by place with their standard errors, from :func:`by_place`."""
    found: Result = {"place": {}, "place_se": {}}
    for i, (total, count) in enumerate(zip(*np.split(sums.columns, 2), strict=True)):
        label = f"{i + 1}" if i + 1 < PLACES else f"{PLACES} and more"
        mean = count.mean()
        ratio = total.mean() / mean if mean > 0 else np.nan
        error = sums.standard_error((total - ratio * count) / mean) if mean > 0 else np.nan
        found["place"][label], found["place_se"][label] = number(ratio), number(float(error))
    return found
