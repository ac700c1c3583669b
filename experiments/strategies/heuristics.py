"""Heuristics: what counts and the last trials alone would choose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from metalocus.agents.agent import Array, best_arms, spread
from metalocus.experiments.strategies.evidence import Evidence
from metalocus.experiments.strategies.strategy import SHARP, Parameter, Valued

WINDOW = 10
"""Trials that `recent_winner` remembers, as proposed in the debate: (10, .1)."""


class UpperConfidenceBound(Valued):
    """Posterior mean + width sqrt(2 log(1 + t) / (n + 2)), as `ucb1_prior` (Auer et al. 2002)."""

    name = "ucb"
    slope = SHARP
    own = (Parameter("width", 0.005, 2.0, log=True),)

    def values(self, seen: Evidence, theta: Array) -> Array:
        """From counts; the prior is uniform."""
        _, pulls = counts(seen)
        t = np.arange(len(pulls))[:, None, None]
        bonus = np.sqrt(2.0 * np.log1p(t) / (pulls + 2.0))
        bound: Array = posterior_mean(seen) + theta[:, 0, None, None, None] * bonus
        return bound


def before(events: Array) -> Array:
    """Sum over the trials before each, [T, ...]."""
    total: Array = np.cumsum(events, axis=0) - events
    return total


def counts(seen: Evidence) -> tuple[Array, Array]:
    """Reward and pulls of every arm before each trial, [T, N, K]."""
    pulled = seen.objects["arms"].credit
    return before(pulled * seen.reward[..., None]), before(pulled)


def posterior_mean(seen: Evidence) -> Array:
    """Of every arm from a uniform prior, [T, N, K]."""
    won, pulls = counts(seen)
    mean: Array = (won + 1.0) / (pulls + 2.0)
    return mean


def repeated(objects: str) -> Callable[[Evidence], Array]:
    """1 for what was chosen last, [T, N, K]."""

    def known(seen: Evidence) -> Array:
        things = seen.objects[objects]
        last = np.concatenate([np.zeros_like(things.credit[:1]), things.credit[:-1]])
        return things.by_action(last)

    return known


def win_stay_lose_shift(objects: str) -> Callable[[Evidence], Array]:
    """Equal probability on objects that agree with the last trial, [T, N, K] (Robbins 1952).

    A reward agrees with what was chosen, its lack with all else.
    """

    def policy(seen: Evidence) -> Array:
        things = seen.objects[objects]
        agrees = (things.credit > 0.5) == (seen.reward > 0.5)[..., None]
        weights = np.concatenate([np.ones_like(agrees[:1]), agrees[:-1]]).astype(float)
        return proportional(things.by_action(weights))

    return policy


def recent_winner(objects: str) -> Callable[[Evidence], Array]:
    """The best mean reward in the last 10 trials, [T, N, K]; uniform before the first."""

    def policy(seen: Evidence) -> Array:
        things = seen.objects[objects]
        recent = [_recent(things.credit * seen.reward[..., None]), _recent(things.credit)]
        mean = np.where(recent[1] > 0.0, recent[0] / np.maximum(recent[1], 1.0), -1.0)
        return proportional(things.by_action(spread_last(mean)))

    return policy


def _recent(events: Array) -> Array:
    """Sum over the last ``WINDOW`` trials before each, [T, ...]."""
    total = np.concatenate([np.zeros_like(events[:1]), np.cumsum(events, axis=0)])
    first = np.maximum(np.arange(len(events)) - WINDOW, 0)
    found: Array = total[:-1] - total[first]
    return np.round(found, 9)


def spread_last(values: Array) -> Array:
    """Equal probability on the greatest values of the last axis, [T, N, O]."""
    flat = values.reshape(-1, values.shape[-1])
    return spread(best_arms(flat)).reshape(values.shape)


def proportional(weights: Array) -> Array:
    """Weights as probabilities over the last axis; uniform where there are none."""
    total = weights.sum(axis=-1, keepdims=True)
    uniform = np.full_like(weights, 1.0 / weights.shape[-1])
    found: Array = np.divide(weights, total, out=uniform, where=total > 0.0)
    return found


def everywhere(seen: Evidence) -> Array:
    """One cell for all trials, [T, N]."""
    return np.zeros(seen.action.shape, dtype=int)
