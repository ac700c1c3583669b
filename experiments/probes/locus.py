"""Where the knowledge held at a trial is: lesions of every subset of stores, shared out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import STORES, Agent, Array, Stores
from metalocus.agents.rollout import Trial, rollout
from metalocus.envs import Episodes, InvalidTask
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.probes.shapley import (
    coalition_name,
    shapley_interactions,
    shapley_values,
)
from metalocus.experiments.scoring.curves import (
    choice_bounds,
    learning_curve,
    normalised,
    number,
    numbers,
    standard_error,
)

COALITIONS = range(2 ** len(STORES))
PAIRS = ["+".join(pair) for pair in combinations(STORES, 2)]
SAME = 1e-6
"""Probabilities this close are equal: a forward pass in single precision may be batched anew."""
TOO_LITTLE = 0.02
"""Less knowledge than this, on the normalised scale, is not divided into fractions."""


class Locus(Probe):
    """Splits v(all) - v(none) at chosen trials into the shares of the three stores.

    At trial t every store outside a subset K is restored to its episode-start value, the
    agent acts once (the episode then goes on without the lesion), and v(K) is the expected
    reward of that act under the true means, 0 for chance and 1 for the best arm. Shares
    are exact Shapley values; the pairwise interactions tell knowledge that is held twice
    (negative) from knowledge that needs both stores (positive).

    An agent with all stores restored must act as one whose episode has just begun. A copy
    of the agent taken beforehand shows what that is; where the two differ, knowledge hides
    outside the stores (``contained`` is False, ``leak`` is what it is worth).

    Args:
        trials: trials at which to measure, from 0; if None, eight spaced by ratio up to
            the last.
    """

    name: ClassVar[str] = "locus"
    question: ClassVar[str] = "which store holds what has been learned: state, weights or context?"

    def __init__(self, trials: Sequence[int] | None = None) -> None:
        self.trials = trials

    def measure(self, agent: Agent, fresh: Callable[[], Episodes], seed: int) -> Result:
        """Lists over the measured ``trials`` (and over all trials for the ``curve``)."""
        episodes = fresh()
        trials = self._trials(episodes.family.horizon)
        lesions = _Lesions(agent, len(episodes), seed, trials)
        trace = rollout(agent, episodes, seed, observe=lesions)
        chance, best = choice_bounds(trace.privileged_value[trials])
        worth, deviation = normalised(np.stack(lesions.value, axis=1), chance, best)
        gap = (best - chance).mean(axis=1)
        return {
            "trials": trials,
            **learning_curve(trace),
            **_worths(worth, deviation),
            **_parts("shares", STORES, shapley_values, worth, deviation),
            **_parts("interactions", PAIRS, shapley_interactions, worth, deviation),
            "leak": numbers(np.array(lesions.leak) / np.where(gap > 0.0, gap, np.nan)),
            "contained": lesions.shift <= SAME,
        }

    def _trials(self, horizon: int) -> list[int]:
        if self.trials is None:
            spaced = np.geomspace(1, max(1, horizon - 1), 8).round().astype(int)
            return sorted({min(int(t), horizon - 1) for t in spaced})
        trials = sorted({int(t) for t in self.trials})
        if not trials or trials[0] < 0 or trials[-1] >= horizon:
            raise InvalidTask(f"trials must be from 0 to {horizon - 1}, got {list(self.trials)}")
        return trials


class _Lesions:
    """Observer that acts from every subset of stores at the chosen trials.

    Attributes:
        value: for each trial, expected reward by subset and episode, [8, N].
        leak: for each trial, expected reward with all stores restored, above that of an
            agent whose episode has just begun.
        shift: greatest difference between the probabilities of those two.
    """

    def __init__(self, agent: Agent, n: int, seed: int, trials: Sequence[int]) -> None:
        self.agent, self.trials = agent, trials
        self.untouched = copy.deepcopy(agent)
        self.beginning = self.untouched.start(n, np.random.default_rng(seed))
        self.start = Stores()
        self.value: list[Array] = []
        self.leak: list[float] = []
        self.shift = 0.0

    def __call__(self, trial: Trial) -> None:
        if trial.t == 0:
            self.start = trial.stores
        if trial.t not in self.trials:
            return
        acts = [self._act_from(coalition, trial) for coalition in COALITIONS]
        at_start, _ = self.untouched.act(trial.shown, self.beginning)
        difference = acts[0] - at_start
        self.value.append(
            np.stack([(probs * trial.privileged_value).sum(axis=1) for probs in acts])
        )
        self.leak.append(float((difference * trial.privileged_value).sum(axis=1).mean()))
        self.shift = max(self.shift, float(np.abs(difference).max()))

    def _act_from(self, coalition: int, trial: Trial) -> Array:
        """Action probabilities [N, K] with every store outside the coalition restored."""
        lost = [store for i, store in enumerate(STORES) if not coalition >> i & 1]
        probs, _ = self.agent.act(trial.shown, trial.stores.restore(self.start, lost))
        return probs


def _worths(worth: Array, deviation: Array) -> Result:
    """v of every subset and the total; worth [8, trials], deviation [8, trials, N]."""
    names = [coalition_name(coalition, STORES) for coalition in COALITIONS]
    error = standard_error(deviation)
    return {
        "values": {name: numbers(worth[i]) for i, name in enumerate(names)},
        "values_se": {name: numbers(error[i]) for i, name in enumerate(names)},
        "total": numbers(worth[-1] - worth[0]),
        "total_se": numbers(standard_error(deviation[-1] - deviation[0])),
    }


def _parts(
    kind: str, names: Sequence[str], split: Callable[[Array], Array], worth: Array, deviation: Array
) -> Result:
    """Named parts that ``split`` makes of a game; worth and deviation as in :func:`_worths`."""
    part, error = split(worth), standard_error(split(deviation))
    total = worth[-1] - worth[0]
    return {
        kind: {name: numbers(part[i]) for i, name in enumerate(names)},
        f"{kind}_se": {name: numbers(error[i]) for i, name in enumerate(names)},
        f"{kind}_fraction": {name: _fractions(part[i], total) for i, name in enumerate(names)},
    }


def _fractions(part: Array, total: Array) -> list[float | None]:
    """Part of the total at each trial; None where there is too little to divide."""
    return [
        number(p / t) if abs(t) > TOO_LITTLE else None for p, t in zip(part, total, strict=True)
    ]
