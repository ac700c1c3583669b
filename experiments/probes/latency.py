"""How long it takes an agent to recover after a hidden switch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure

from metalocus.agents.agent import Agent, Array
from metalocus.agents.rollout import Trial, rollout
from metalocus.envs import Family, Setting
from metalocus.experiments.instruments.task import steps_a_trial
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.probes.figures import CHOICE_VALUE, LINES, by_label, line
from metalocus.experiments.probes.rows import REACH, counted
from metalocus.experiments.scoring.chunks import Chunk, Chunks
from metalocus.experiments.scoring.curves import choice_bounds, choice_value, number, numbers
from metalocus.experiments.scoring.sample import Sample

BEFORE, AFTER = 10, 25
"""Trials without another switch around one that counts: time to learn what is lost, and to
recover; one in two is so lonely at a hazard of .02."""
PARTS = {"half": 0.5, "ninety": 0.9}
"""Of the drop, that are to be recovered."""
NOTHING = (np.nan, np.nan)
"""No number, and no standard error of it."""
FINER = 16
"""Places a lag at which the interval of a curve is known: .06 trials apart."""
LEAST_DROP = 0.1
"""A drop of choice value that is not surely greater leaves nothing to measure a recovery by."""


class Latency(Probe):
    """The learning curve aligned to switches: by how much it drops, and how soon it recovers.

    A switch counts if the task stands still for some trials before it and after it. So the same
    switches are averaged at every lag, and no curve is mended or spoiled by the next switch. When
    a switch comes does not depend on the agent, so this is no selection of what it did; where
    the hazard itself changes, it is one of calm times.

    With c_l the choice value l trials after the switch (0 is the first trial of the new task), and
    b its mean over the nearer half of the trials before it:

    * ``drop``: b - c_0.
    * ``half``, ``ninety``: trials until c_l has first risen to c_0 + .5 (.9) drop, between two
      trials by a straight line. None if there is no drop, or no sure recovery by the end. The
      interval is from where the upper end of the curve's own first rises to that level to where
      the lower end does (Fieller 1954, "Some problems in interval estimation").
    * ``trials_lost``: sum_l (b - c_l) / drop, what the switch costs, in trials of the full drop.
    * ``recovered``: the part of the drop that is recovered at the last of the trials.

    Standard errors are over episodes, the ratios linearised.
    """

    name: ClassVar[str] = "latency"
    question: ClassVar[str] = "how soon does it recover after a hidden switch?"
    example: ClassVar[tuple[str, Setting]] = (
        "wsls",
        Setting("metalocus/ReversalBandit-v0", horizon=20, hazard=0.05, p=0.9),
    )
    quantities: ClassVar[Mapping[str, str]] = {
        "half": "trials until half of the drop is recovered",
        "ninety": "trials until 90% of the drop is recovered",
        "trials_lost": "cost of a switch, in trials of the full drop",
        "drop": "fall of the choice value at a switch",
        "before": "choice value in the last trials before a switch",
        "after": "choice value at the first trial after it",
        "recovered": "part of the drop recovered at the last trial",
        "curve": "choice value by trials since the switch",
        "n_switches": "switches that count",
    }

    def why_not(self, agent: Agent, setting: Setting) -> str | None:
        """The task must switch, and last long enough for a trial before and two after."""
        family = setting.family
        if family.switches is None:
            return f"latency is of tasks that switch within an episode; {family.name} does not"
        if min(_window(family)) < 1:
            return "latency needs a longer episode: four trials at least"
        return None

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """``curve`` over ``trials`` since the switch, and what it says, each with its error."""
        family = chunks.setting.family
        before, after = _window(family)
        sample, n_switches = Sample(), 0
        for chunk in chunks:
            aligned, count = _aligned(agent, chunk)
            sample.add(aligned.reshape(-1, chunk.n))  # lags are compared with each other
            n_switches += count
        lags = before + 1 + after
        curve, deviation = choice_value(*sample.columns.reshape(3, lags, -1))
        found: Result = {"n_switches": n_switches, "trials": list(range(-before, after + 1))}
        found |= {"curve": numbers(curve), "curve_se": numbers(sample.standard_error(deviation))}
        for name, (value, error) in _summary(curve, deviation, before, sample).items():
            found |= {name: number(value), f"{name}_se": number(error)}
        return found

    def sentence(self, result: Result) -> str:
        """The drop, how soon half and 90% of it are first recovered, and what is lost in all.

        Who recovers at once and falls back has lost much; or why nothing can be said.
        """
        if not result["n_switches"] or result["drop"] is None:
            return (
                f"No switch stood alone for {-result['trials'][0]} trials before it and"
                f" {result['trials'][-1]} after it: nothing can be measured here."
            )
        number = {name: self.row(result, name) for name in self.quantities if name != "curve"}
        if result["trials_lost"] is None:
            return (
                f"There is no drop to recover from: its choice value is {number['before']} before"
                f" a switch and {number['after']} at the first trial after it."
            )
        said = f"At a switch its choice value drops by {number['drop']}"
        last = result["trials"][-1]
        lost = f"the switch costs {number['trials_lost']} trials of the full drop"
        if result["half"] is not None:
            said += f"; half of it is first recovered after {number['half']} trials"
        if result["ninety"] is not None:
            return f"{said}, 90% after {number['ninety']}; {lost}."
        later = counted(last, "trial")
        return f"{said}; {number['recovered']} of it is recovered {later} later; {lost}."

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """The aligned curve, with the moments at which half and 90% of the drop are recovered."""
        ax = figure.subplots()
        rows = self.rows(result)
        line(ax, by_label(rows, "curve").get("", []), "", LINES[1][0])
        ax.axvline(-0.5, color="#888888", ls=":", lw=1.2)
        ax.annotate(
            "switch ", (-0.5, 0.02), xycoords=("data", "axes fraction"), ha="right", fontsize=8
        )
        for name, part in PARTS.items():
            if result[name] is None:
                continue
            at = self.row(result, name)
            height = result["after"] + part * result["drop"]
            ax.errorbar(
                [result[name]],
                [height],
                xerr=[REACH * (at.se or 0.0)],
                fmt="o",
                color=LINES[2][0],
                capsize=4,
                zorder=3,
            )
            ax.annotate(
                f"{part:.0%} after {at}",
                (result[name], height),
                xytext=(8, -12),
                textcoords="offset points",
                fontsize=8,
            )
        ax.axhline(0, color="#bbbbbb", lw=0.8, zorder=0)
        ax.set(xlabel="trials since the switch", ylabel=CHOICE_VALUE)
        return figure


def _window(family: Family) -> tuple[int, int]:
    """Trials before and after a switch that are looked at."""
    trials = family.horizon // steps_a_trial(family)
    return min(BEFORE, trials // 4), min(AFTER, trials // 2)


def _aligned(agent: Agent, chunk: Chunk) -> tuple[Array, int]:
    """Sums over an episode's switches of value, chance and best, by lag, and how many switches.

    Returns:
        [3, L, N], in the order of :func:`choice_value`; and the number of switches that count.
    """
    family, latents = chunk.setting.family, list[Array]()
    episodes = chunk.episodes()
    assert family.switches is not None  # why_not has refused all others
    name = family.switches

    def observe(trial: Trial) -> None:
        latents.append(episodes.latents[name])

    trace = rollout(agent, episodes, chunk.start_seed, observe=observe)
    first = slice(None, None, steps_a_trial(family))
    worth = trace.privileged_value[first]
    values = np.stack([(trace.probs[first] * worth).sum(axis=2), *choice_bounds(worth)])
    before, after = _window(family)
    lonely = _lonely(np.stack(latents[first]), before, after)
    trials = len(lonely)
    aligned = np.zeros((3, before + 1 + after, chunk.n))
    for lag in range(-before, after + 1):
        at = slice(before, trials - after)
        moved = slice(before + lag, trials - after + lag)
        aligned[:, before + lag] = (values[:, moved] * lonely[at]).sum(axis=1)
    return aligned, int(lonely.sum())


def _lonely(latent: Array, before: int, after: int) -> Array:
    """Trials of a switch with no other one from so long before to so long after it, [T, N]."""
    switch = np.zeros(latent.shape, dtype=bool)
    switch[1:] = latent[1:] != latent[:-1]
    lonely = np.zeros_like(switch)
    for t in range(before, len(switch) - after):
        lonely[t] = switch[t] & (switch[t - before + 1 : t + after + 1].sum(axis=0) == 1)
    return lonely


def _summary(
    curve: Array, deviation: Array, before: int, sample: Sample
) -> dict[str, tuple[float, float]]:
    """What an aligned curve [L] says: each number with its standard error.

    Args:
        curve: choice value by lag.
        deviation: of it, linearised, [L, M].
        before: lags before the switch.
        sample: that they are of.
    """
    curves = np.column_stack([curve, deviation])  # sums and differences are taken of both at once
    level, since = curves[before // 2 : before].mean(axis=0), curves[before:]
    drop = level - since[0]
    found = {"before": level, "after": since[0], "drop": drop}
    sure = drop[0] - REACH * sample.standard_error(drop[1:]) > LEAST_DROP
    if sure:
        found["trials_lost"] = _ratio((level - since).sum(axis=0), drop)
        found["recovered"] = _ratio(since[-1] - since[0], drop)
    said = {name: (row[0], float(sample.standard_error(row[1:]))) for name, row in found.items()}
    for name, part in PARTS.items():
        above = _finer(since - since[0] - part * drop)
        reach = REACH * sample.standard_error(above[:, 1:])
        at, error = _crossing(above[:, 0], reach) if sure else NOTHING
        said[name] = at / FINER, error / FINER
    return dict.fromkeys(("trials_lost", "recovered"), NOTHING) | said


def _ratio(part: Array, whole: Array) -> Array:
    """Of two numbers, each with its deviations, [1 + M] -> [1 + M]."""
    ratio: Array = part / whole[0]
    ratio[1:] -= ratio[0] * whole[1:] / whole[0]
    return ratio


def _finer(rows: Array) -> Array:
    """Rows [L, M] with others between them by straight lines, [FINER (L - 1) + 1, M].

    Between two lags, whose errors are not one, the line is known better than at either.
    """
    lags = np.arange(FINER * (len(rows) - 1) + 1) / FINER
    before = np.minimum(lags.astype(int), len(rows) - 2)
    part = (lags - before)[:, None]
    found: Array = (1.0 - part) * rows[before] + part * rows[before + 1]
    return found


def _crossing(above: Array, reach: Array) -> tuple[float, float]:
    """Where a curve first rises to 0, in lags, and the standard error of that.

    The interval is from where the upper end of the curve's own interval first rises to 0 to where
    the lower end does.

    Args:
        above: the curve, [L].
        reach: half the length of its interval, [L].

    Returns:
        NaN twice if the lower end never rises to 0, so that nothing is sure.
    """
    early, at, late = (_first_zero(above + shift) for shift in (reach, 0.0, -reach))
    return NOTHING if np.isnan(late) else (at, (late - early) / (2.0 * REACH))


def _first_zero(curve: Array) -> float:
    """Where a curve [L] first rises to 0, by a straight line between lags; NaN if nowhere."""
    if not (curve >= 0.0).any():
        return np.nan
    lag = int((curve >= 0.0).argmax())
    if lag == 0:
        return 0.0
    return lag - float(curve[lag] / (curve[lag] - curve[lag - 1]))
