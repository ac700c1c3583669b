"""The causal learning kernel: what one reward, action or cue changes in every later choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metalocus.agents.agent import Agent, Array, Stores
from metalocus.agents.rollout import Transition, Trial, act, rollout
from metalocus.envs import Setting
from metalocus.experiments.instruments.task import (
    mirrored,
    no_telling_reward,
    steps_a_trial,
    unrelated,
)
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.probes.figures import LINES, column
from metalocus.experiments.probes.rows import REACH, Row, counted
from metalocus.experiments.scoring.chunks import Chunk, Chunks
from metalocus.experiments.scoring.curves import numbers
from metalocus.experiments.scoring.sample import Sample

LAGS = (1, 2, 4, 8, 16, 32, 64)
"""Trials back; evenly spaced for whatever falls by a constant factor or by a power."""
EARLY = 0.25
"""The part of an episode after which choices are read for the first time; the last are the other.
"""
REWARD, ACTION, CUE = KINDS = ("reward", "action", "cue")
"""What is fed otherwise at one trial."""
PAID, HIGHER = "A reward in place of none", "The higher of a reward and its mirror image"
"""What the effect of the reward is one of, for the sentence: where there are two rewards, or more.
"""
SIGNED, MOVED = ("log_odds", "probability"), "moved"


@dataclass(frozen=True)
class Cell:
    """One place of a kernel.

    Attributes:
        readout: step at which a later choice is read.
        lag: trials from there back to what was fed otherwise.
        chose: step at which the choice of that trial was taken.
    """

    readout: int
    lag: int
    chose: int


class Influence(Probe):
    """Feeds one thing otherwise at one trial, replays the rest, and reads a later choice.

    An episode is played. A copy of the agent takes in the same stimuli, actions and rewards
    (teacher forcing) but for one trial: there the reward is the mirrored one, or the action is
    another one, drawn at random, or the cue is that of an unrelated episode. With p the action
    probabilities of the copy that was fed the higher reward (the true action, the true cue), q
    those of the other copy, and a the action of the trial that was changed, for every lag:

    * ``log_odds``: log p_a / (1 - p_a) - log q_a / (1 - q_a), in nats. None if an agent gives a
      probability of 0 anywhere, which makes it infinite.
    * ``probability``: p_a - q_a.
    * ``moved``: sum_k |p_k - q_k| / 2, the least part of choices that must have changed (the
      total variation distance), whichever arm they go to.
    * ``association``: of the reward, what a regression on past rewards would find in the plain
      episodes: the probability of a after a reward minus that after none. It is no effect: where
      good tasks last, rewards of the past go together with those that the agent earns now.

    All are averages over episodes in which the change is one: a cue that the unrelated episode
    shows too is left out. Choices are read late, at the last trial, and early, after a quarter.

    A sum of exponentials is seen by lag at one trial (a column), forgetting by the number of
    trials across columns: counts fall from the early to the late one and are flat in lag.

    Source: the regression on past rewards of Lau & Glimcher 2005, "Dynamic response-by-response
    models of matching behavior in rhesus monkeys", made an intervention; Glaze, Kable & Gold
    2015, "Normative evidence accumulation in unpredictable environments", for that of the filter.
    """

    name: ClassVar[str] = "influence"
    question: ClassVar[str] = "for how long does one reward change its choices?"
    quantities: ClassVar[Mapping[str, str]] = {
        "log_odds": "change of the log-odds of that trial's choice, nats",
        MOVED: "part of the choices that change, to whichever arm",
        "probability": "change of the probability of that trial's choice",
        "association": "what a regression finds: P(same choice) after reward minus after none",
        "contained": "whether the copies left the plain run as it is (0 no, 1 yes)",
    }
    shown: ClassVar[int] = 2

    def why_not(self, agent: Agent, setting: Setting) -> str | None:
        """A reward must come before a choice that pays."""
        return no_telling_reward(setting)

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """For every kind and lag, a number for each of the ``trials`` at which choices are read."""
        family = chunks.setting.family
        steps = steps_a_trial(family)
        cells = _cells(family.horizon, steps)
        cued = family.stimulus_size > 0 and not agent.omniscient
        changes = {kind: _Changes() for kind in (KINDS if cued else (REWARD, ACTION))}
        associations, contained, ends = Sample(), True, True
        for chunk in chunks:
            replay = _Replay(agent, chunk, cells, list(changes))
            watched = rollout(agent, chunk.episodes(), chunk.start_seed, observe=replay)
            plain = rollout(agent, chunk.episodes(), chunk.start_seed)
            contained &= bool(np.array_equal(plain.probs, watched.probs))
            ends &= bool(np.isin(plain.reward[steps - 1 :: steps], family.reward_range).all())
            for kind, change in changes.items():
                change.add(np.stack([replay.changed[kind, cell] for cell in cells], axis=1))
            associations.add(np.stack([replay.associated[cell] for cell in cells], axis=1))
        found = {kind: change.summary() for kind, change in changes.items()}
        found[REWARD] |= _association(associations)
        return {
            "contained": contained,
            "fed": PAID if ends else HIGHER,
            "trials": sorted({cell.readout for cell in cells}),
            **{kind: _by_lag(cells, numbers) for kind, numbers in found.items()},
        }

    def sentence(self, result: Result) -> str:
        """The kernel of the reward at the last trial, at its nearest and its farthest lag."""
        if not result["contained"]:
            return (
                "It keeps something outside its stores, which its copies changed: none of these"
                " numbers can be trusted."
            )
        rows, said = self.rows(result), []
        unit = MOVED if CUE in result else _signed(rows, result["trials"][-1])
        for trial in result["trials"]:
            kernel = _kernel(rows, REWARD, unit, trial)
            if kernel:
                far = max(kernel)
                ends = f"{kernel[1]} one trial later" if 1 in kernel else ""
                if far > 1:
                    ends += f" and {kernel[far]} {counted(far, 'trial')} later"
                said.append(f"{ends} (at trial {trial})")
        if not said:
            return "Nothing could be measured: every reward is its own mirror image."
        if unit == MOVED:  # with other things shown, the same choice is another one
            return f"Another reward changes this part of the choices: {', and '.join(said)}."
        kernel = _kernel(rows, REWARD, MOVED, result["trials"][-1])
        near = min(kernel)
        return (
            f"{result['fed']} raises the {unit.replace('_', '-')} of the same choice by"
            f" {', and by '.join(said)}; {counted(near, 'trial')} later it changes"
            f" {kernel[near]} of the choices, whichever way."
        )

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """The reward's kernel, early and late; cause beside association; what each kind moves."""
        rows, trials = self.rows(result), result["trials"]
        first, last = trials[0], trials[-1]
        unit = _signed(rows, last)
        lines: list[tuple[str, list[tuple[str, str, str, int, int]]]] = [
            (
                f"Reward in place of none:\n{unit.replace('_', '-')} of the same choice",
                [
                    (f"read at trial {last}", REWARD, unit, last, 1),
                    *((f"read at trial {trial}", REWARD, unit, trial, 5) for trial in trials[:-1]),
                ],
            ),
            (
                f"Cause and regression, trial {first}:\nprobability of the same choice",
                [
                    ("caused by the reward", REWARD, "probability", first, 1),
                    ("a regression's finding", REWARD, "association", first, 7),
                ],
            ),
            (
                f"One thing fed otherwise, trial {first}:\npart of the choices that change",
                [
                    (f"another {kind}", kind, MOVED, first, i)
                    for i, kind in enumerate(KINDS, 1)
                    if kind in result
                ],
            ),
        ]
        for ax, (title, drawn) in zip(figure.subplots(1, len(lines)), lines, strict=True):
            for label, kind, quantity, trial, style in drawn:
                _line(ax, _kernel(rows, kind, quantity, trial), label, *LINES[style])
            ax.axhline(0, color="#bbbbbb", lw=0.8, zorder=0)
            ax.set_xscale("log", base=2)
            lags = sorted({lag for kind in KINDS for lag in _kernel(rows, kind, MOVED, last)})
            ax.set_xticks(lags, [str(lag) for lag in lags])
            ax.set_title(title, loc="left", fontsize=9)
            ax.set_xlabel("trials later")
            ax.legend(frameon=False, fontsize=8)
        return figure


@dataclass
class _Copy:
    """A copy of the agent that is fed one thing otherwise.

    Attributes:
        kind: what.
        fed: step at which it is fed.
        cells: where its choices are read, the last one last.
        sign: of the difference it makes, [N]: 1; -1 if the copy is fed the higher reward; and 0
            if it makes none.
        stores: after its last act.
    """

    kind: str
    fed: int
    cells: list[Cell]
    sign: Array = field(default_factory=lambda: np.empty(0))
    stores: Stores = field(default_factory=Stores)


class _Replay:
    """Watches episodes as they are played, and leads the copies through them.

    Attributes:
        changed: of a kind and a cell: whether there was a change, and the change of log-odds, of
            probability, and of all choices, [4, N].
        associated: of a cell: whether the reward was a win, and the probability of the same
            choice in case of a win and in case of none, [3, N].
    """

    def __init__(
        self, agent: Agent, chunk: Chunk, cells: Sequence[Cell], kinds: Sequence[str]
    ) -> None:
        self.agent, self.cells, self.family = agent, cells, chunk.setting.family
        self.steps = steps_a_trial(self.family)
        self.another = unrelated(chunk)
        self.waiting = _copies(cells, kinds, self.steps)
        self.running: list[_Copy] = []
        self.shown, self.cue = np.empty(0), np.empty(0)
        self.actions: list[Array] = []
        self.rewards: list[Array] = []
        self.changed: dict[tuple[str, Cell], Array] = {}
        self.associated: dict[Cell, Array] = {}

    def __call__(self, trial: Trial) -> None:
        """Take in what the step before brought, act, and read the choices that are due."""
        if trial.last is not None:
            self._take_in(trial.last)
        for copy in self.running:
            probs, copy.stores = act(self.agent, trial.t, trial.shown, copy.stores)
            for cell in copy.cells:
                if cell.readout == trial.t:
                    self.changed[copy.kind, cell] = self._change(copy, cell, trial.probs, probs)
        for cell in self.cells:
            if cell.readout == trial.t:
                self.associated[cell] = self._association(cell, trial.probs)
        self.running = [copy for copy in self.running if copy.cells[-1].readout > trial.t]
        self.shown, self.cue = trial.shown, self.another.stimulus()
        begins = [copy for copy in self.waiting if copy.fed == trial.t]
        for copy in begins:
            shown = self.cue if copy.kind == CUE else trial.shown
            copy.stores = act(self.agent, trial.t, shown, trial.stores)[1]
        self.waiting = [copy for copy in self.waiting if copy.fed > trial.t]
        self.running += begins

    def _take_in(self, last: Transition) -> None:
        """Feed the copies what happened, and another thing to those that begin."""
        step, action, reward = len(self.actions), last.action, last.reward
        for copy in self.running:
            fed = {CUE: self.shown, ACTION: action, REWARD: reward}
            if copy.fed == step:
                fed[copy.kind], copy.sign = self._otherwise(copy.kind, step, action, reward)
            copy.stores = self.agent.learn(copy.stores, fed[CUE], fed[ACTION], fed[REWARD])
        self.actions.append(action)
        self.rewards.append(reward)
        self.another.step(action)

    def _otherwise(self, kind: str, step: int, action: Array, reward: Array) -> tuple[Array, Array]:
        """What is fed in place of what happened at a step, and the sign of the difference."""
        if kind == REWARD:
            other = mirrored(self.family, reward)
            return other, np.sign(reward - other)
        if kind == CUE:
            return self.cue, (self.cue != self.shown).any(axis=1).astype(float)
        n_arms = self.family.n_arms
        further = 1 + (self.another.crn.uniform("action", step) * (n_arms - 1)).astype(np.int64)
        return (action + further) % n_arms, np.ones(len(action))

    def _change(self, copy: _Copy, cell: Cell, true: Array, changed: Array) -> Array:
        """What a change made of the choices at a readout: probabilities [N, K] -> [4, N]."""
        rows, chosen = np.arange(len(true)), self.actions[cell.chose]
        with np.errstate(invalid="ignore"):  # the difference of two infinite ones
            log_odds = copy.sign * (_log_odds(true, chosen) - _log_odds(changed, chosen))
        return np.stack(
            [
                np.abs(copy.sign),
                log_odds,
                copy.sign * (true - changed)[rows, chosen],
                np.abs(copy.sign) * np.abs(true - changed).sum(axis=1) / 2.0,
            ]
        )

    def _association(self, cell: Cell, probs: Array) -> Array:
        """What went together with a reward at a readout, [3, N]."""
        won = self.rewards[cell.chose + self.steps - 1] > sum(self.family.reward_range) / 2.0
        same = probs[np.arange(len(probs)), self.actions[cell.chose]]
        return np.stack([won, won * same, ~won * same])


class _Changes:
    """What changes of one kind made, pooled over chunks, for each of C cells."""

    def __init__(self) -> None:
        self.sample, self.infinite = Sample(), np.zeros(1, dtype=bool)

    def add(self, changed: Array) -> None:
        """Pool [4, C, N] of :class:`_Replay`; log-odds that are infinite leave no number."""
        bad = ~np.isfinite(changed[1])
        self.infinite = self.infinite | bad.any(axis=1)
        changed[1] = np.where(bad, 0.0, changed[1])
        self.sample.add(changed)

    def summary(self) -> dict[str, list[float | None]]:
        """Means [C] over the episodes that were changed, and their standard errors."""
        (weight, *measured), found = self.sample.columns, {}
        for name, each in zip((*SIGNED, MOVED), measured, strict=True):
            mean, deviation = _ratio(each, weight)
            if name == "log_odds":
                mean = np.where(self.infinite, np.nan, mean)
                deviation = np.where(self.infinite[:, None], np.nan, deviation)
            found[name] = numbers(mean)
            found[f"{name}_se"] = numbers(self.sample.standard_error(deviation))
        return found


def _association(sample: Sample) -> dict[str, list[float | None]]:
    """P(same choice) after a win minus that after none, [C], of :attr:`_Replay.associated`."""
    won, after_win, after_none = sample.columns
    (high, from_high), (low, from_low) = _ratio(after_win, won), _ratio(after_none, 1.0 - won)
    error = sample.standard_error(from_high - from_low)
    return {"association": numbers(high - low), "association_se": numbers(error)}


def _ratio(part: Array, whole: Array) -> tuple[Array, Array]:
    """Ratio of two means over episodes, [..., M] -> [...]; NaN where the second is 0.

    Returns:
        The ratio, and each episode's deviation from it (linearised), [..., M].
    """
    total = whole.mean(axis=-1)
    total = np.where(total > 0.0, total, np.nan)
    ratio = part.mean(axis=-1) / total
    return ratio, (part - ratio[..., None] * whole) / total[..., None]


def _log_odds(probs: Array, chosen: Array) -> Array:
    """Of one action against all others, [N, K] and [N] -> [N]; infinite where one has none."""
    mine = np.arange(probs.shape[1]) == chosen[:, None]
    with np.errstate(divide="ignore"):
        odds: Array = np.log((probs * mine).sum(axis=1)) - np.log((probs * ~mine).sum(axis=1))
    return odds


def _cells(horizon: int, steps: int) -> list[Cell]:
    """Every readout of an episode, early and late, with every lag that reaches back from it."""
    last = horizon // steps - 1
    trials = sorted({max(1, round(EARLY * last)), last})
    return [
        Cell(steps * trial, lag, steps * (trial - lag))
        for trial in trials
        for lag in LAGS
        if lag <= trial
    ]


def _copies(cells: Sequence[Cell], kinds: Sequence[str], steps: int) -> list[_Copy]:
    """A copy for every kind and trial; it may be read at both readouts."""
    by_choice: dict[int, list[Cell]] = {}
    for cell in cells:
        by_choice.setdefault(cell.chose, []).append(cell)
    return [
        _Copy(kind, chose + (0 if kind == ACTION else steps - 1), read)
        for kind in kinds
        for chose, read in by_choice.items()
    ]


def _by_lag(
    cells: Sequence[Cell], found: Mapping[str, Sequence[float | None]]
) -> dict[str, dict[str, list[float | None]]]:
    """Numbers of cells [C], by lag, and then by readout; None where a lag reaches too far back."""
    readouts = sorted({cell.readout for cell in cells})
    place = {(cell.lag, cell.readout): i for i, cell in enumerate(cells)}
    return {
        f"lag {lag}": {
            name: [
                values[place[lag, readout]] if (lag, readout) in place else None
                for readout in readouts
            ]
            for name, values in found.items()
        }
        for lag in sorted({cell.lag for cell in cells})
    }


def _kernel(rows: Sequence[Row], kind: str, quantity: str, readout: int) -> dict[int, Row]:
    """The numbers of a kernel at one readout, by lag."""
    wanted = {f"{kind} lag {lag}": lag for lag in LAGS}
    return {
        wanted[row.label]: row
        for row in rows
        if row.label in wanted
        and (row.quantity, row.trial) == (quantity, readout)
        and row.value is not None
    }


def _signed(rows: Sequence[Row], readout: int) -> str:
    """Log-odds if they are finite, else probabilities."""
    return "log_odds" if _kernel(rows, REWARD, "log_odds", readout) else "probability"


def _line(ax: Axes, kernel: Mapping[int, Row], label: str, colour: str, dash: str) -> None:
    """A kernel by lag with its intervals."""
    values, errors = column(list(kernel.values()), "value", "se")
    reach = REACH * errors
    ax.errorbar(
        list(kernel), values, reach, fmt=f"o{dash}", color=colour, ms=3.5, lw=1.6, label=label
    )
