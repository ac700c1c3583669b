"""Where the knowledge held at a trial is: every subset of stores lesioned, its value divided."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure

from metalocus.agents.agent import STORES, Agent, Array, NonFinite, Stores
from metalocus.agents.rollout import Trial, act, rollout
from metalocus.envs import InvalidTask
from metalocus.envs.checks import require_count
from metalocus.experiments.probes.base import NO_CHOICE, Probe, Result
from metalocus.experiments.probes.figures import CHOICE_VALUE, by_label, line
from metalocus.experiments.probes.figures import STORES as COLOURS
from metalocus.experiments.probes.shapley import (
    coalitions,
    shapley_interactions,
    shapley_values,
)
from metalocus.experiments.scoring.chunks import Chunk, Chunks
from metalocus.experiments.scoring.curves import (
    LearningCurve,
    choice_bounds,
    choice_value,
    mean_gap,
    number,
    numbers,
)
from metalocus.experiments.scoring.sample import Sample

KEPT = coalitions(STORES)
"""The stores that a lesion leaves alone, by the name of their coalition."""
PAIRS = ["+".join(pair) for pair in combinations(STORES, 2)]
SAME = 1e-6
"""Probabilities this close are equal: a forward pass in single precision may be batched anew."""
TOO_LITTLE = 0.02
"""Less knowledge than this choice value is not divided into fractions: noise would rule them."""


class Locus(Probe):
    """Splits v(all) - v(none) at chosen trials into the shares of the three stores.

    At trial t every store outside a subset K is restored to its episode-start value, the
    agent acts once (the episode then goes on without the lesion), and v(K) is the choice value
    of that act: its expected reward under the true means, 0 for chance and 1 for the best arm.
    Shares are exact Shapley values; the pairwise interactions tell knowledge that is held twice
    (negative) from knowledge that needs both stores (positive).

    An agent with all stores restored must act as one whose episode has just begun. A copy
    of the agent taken beforehand shows what that is; where the two differ, knowledge hides
    outside the stores (``contained`` is False, ``leak`` is its choice value).

    Args:
        trials: trials at which to measure, from 0; if None, eight spaced by ratio up to
            the last.
    """

    name: ClassVar[str] = "locus"
    question: ClassVar[str] = "which store holds what has been learned: state, weights or context?"
    quantities: ClassVar[Mapping[str, str]] = {
        "shares": "share of each store in what was learned, in units of choice value",
        "total": "what was learned: choice value with all stores kept above that with none",
        "values": "choice value of one act, by the stores kept",
        "interactions": "value held twice (negative) or only jointly (positive), by pair",
        "shares_fraction": "share as a fraction of the total",
        "interactions_fraction": "interaction as a fraction of the total",
        "leak": "choice value that is in none of the stores",
        "contained": "whether all that is learned is in the stores (0 no, 1 yes)",
        "curve": "choice value with nothing restored",
        "final": "the same in the episode's last quarter",
        "expected_return": "mean return with nothing restored, every choice counted by its"
        " expected reward",
    }
    shown: ClassVar[int] = 3

    def __init__(self, trials: Sequence[int] | None = None) -> None:
        self.trials = trials

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """Lists over the measured ``trials`` (and over all trials for the ``curve``)."""
        trials = self._trials(chunks.setting.family.horizon)
        untouched = copy.deepcopy(agent)
        curve, game, shift, returns = LearningCurve(), Sample(), 0.0, 0.0
        for chunk in chunks:
            lesions = _Lesions(agent, untouched, chunk, trials)
            trace = rollout(agent, chunk.episodes(), chunk.start_seed, observe=lesions)
            bounds = choice_bounds(trace.privileged_value[trials])
            curve.add(trace)
            returns += float(trace.value.sum())
            game.add(np.concatenate([np.stack(lesions.value, axis=1), np.stack(bounds)]))
            shift = max(shift, lesions.shift)
        *_, leak, chance, best = game.columns
        return {
            "trials": trials,
            **curve.summary(),
            "expected_return": number(returns / chunks.n),
            **_divided(game),
            "leak": numbers(leak.mean(axis=1) / mean_gap(chance, best)),
            "contained": shift <= SAME,
        }

    def sentence(self, result: Result) -> str:
        """The share of each store at the last measured trial."""
        total = self.row(result, "total")
        if total.value is None:
            return NO_CHOICE
        shares = [f"{store} {self.row(result, 'shares', store)}" for store in STORES]
        leak = "" if result["contained"] else "; more is held outside the stores"
        return (
            f"By trial {total.trial} (from 0) what was learned is worth {total} on the scale from"
            f" 0 (chance) to 1 (the best arm), of which the shares are {', '.join(shares)}{leak}."
        )

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """Shares of the three stores and their total, by trial."""
        rows, ax = self.rows(result), figure.subplots()
        line(ax, by_label(rows, "total").get("", []), "all three together", "black", ":")
        for store, each in by_label(rows, "shares").items():
            line(ax, each, f"held in {store}", COLOURS[store])
        ax.axhline(0, color="#bbbbbb", lw=0.8, zorder=0)
        if result["trials"][0] > 0:
            ax.set_xscale("log")
            ax.set_xticks(result["trials"], [str(trial) for trial in result["trials"]])
            ax.minorticks_off()
        ax.set(xlabel="trial (the first is 0)", ylabel=f"share in the {CHOICE_VALUE}")
        ax.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
        return figure

    def _trials(self, horizon: int) -> list[int]:
        if self.trials is None:
            spaced = np.geomspace(1, max(1, horizon - 1), 8).round().astype(int)
            return sorted({min(int(t), horizon - 1) for t in spaced})
        trials = sorted({require_count("trials", t, 0) for t in self.trials})
        if not trials or trials[-1] >= horizon:
            raise InvalidTask(f"trials must be from 0 to {horizon - 1}, got {list(self.trials)}")
        return trials


class _Lesions:
    """Observer that acts from every subset of stores at the chosen trials.

    Attributes:
        value: for each trial, [9, N]: expected value of the act from every subset of stores, and
            what that from none of them is above that of an agent whose episode has just begun.
        shift: greatest difference between the probabilities of those last two.
    """

    def __init__(self, agent: Agent, untouched: Agent, chunk: Chunk, trials: Sequence[int]) -> None:
        self.agent, self.untouched, self.trials = agent, untouched, trials
        self.beginning = untouched.start(chunk.n, np.random.default_rng(chunk.start_seed))
        self.start = Stores()
        self.value: list[Array] = []
        self.shift = 0.0

    def __call__(self, trial: Trial) -> None:
        if trial.t == 0:
            self.start = trial.stores
        if trial.t not in self.trials:
            return
        acts = [self._act_keeping(kept, trial) for kept in KEPT.values()]
        at_start, _ = act(self.untouched, trial.t, trial.shown, self.beginning)
        difference = acts[0] - at_start
        probs = np.stack([*acts, difference])
        self.value.append((probs * trial.privileged_value).sum(axis=2))
        self.shift = max(self.shift, float(np.abs(difference).max()))

    def _act_keeping(self, kept: Sequence[str], trial: Trial) -> Array:
        """Action probabilities [N, K] with all stores but these restored."""
        lost = [store for store in STORES if store not in kept]
        lesioned = trial.stores.restore(self.start, lost)
        try:
            return act(self.agent, trial.t, trial.shown, lesioned)[0]
        except NonFinite as error:
            raise NonFinite(f"with {' and '.join(lost)} restored, {error}") from error


def _divided(game: Sample) -> Result:
    """The choice value v of every subset, and the shares and interactions of its total.

    Args:
        game: expected value from every subset, leak, chance and best, [11, trials, M].
    """
    *outcomes, _, chance, best = game.columns
    value, deviation = choice_value(np.stack(outcomes), chance, best)
    error = game.standard_error(deviation)
    total = value[-1] - value[0]

    def parts(kind: str, names: Sequence[str], divide: Callable[[Array], Array]) -> Result:
        """Named parts of the total, their standard errors and what fractions of it they are."""
        part, part_error = divide(value), game.standard_error(divide(deviation))
        return {
            kind: {name: numbers(part[i]) for i, name in enumerate(names)},
            f"{kind}_se": {name: numbers(part_error[i]) for i, name in enumerate(names)},
            f"{kind}_fraction": {name: _fractions(part[i], total) for i, name in enumerate(names)},
        }

    return {
        "values": {name: numbers(value[i]) for i, name in enumerate(KEPT)},
        "values_se": {name: numbers(error[i]) for i, name in enumerate(KEPT)},
        "total": numbers(total),
        "total_se": numbers(game.standard_error(deviation[-1] - deviation[0])),
        **parts("shares", STORES, shapley_values),
        **parts("interactions", PAIRS, shapley_interactions),
    }


def _fractions(part: Array, total: Array) -> list[float | None]:
    """Part of the total at each trial; None where there is too little to divide."""
    return [
        number(p / t) if abs(t) > TOO_LITTLE else None for p, t in zip(part, total, strict=True)
    ]
