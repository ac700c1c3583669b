"""A posterior sampler of a given entropy, which the choices of several agents are compared with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from metalocus.agents.agent import Array, NamedAgent
from metalocus.agents.catalogue import make_named
from metalocus.envs import Family, InvalidTask

SAMPLERS: Mapping[str, str] = {
    "BernoulliBandit-v0": "thompson",
    "GaussianBandit-v0": "gaussian_thompson",
    "RestlessBandit-v0": "kalman_thompson",
    "LinearBandit-v0": "linear_thompson",
    "ReversalBandit-v0": "filter_matching",
}
"""By family: chooses every action with the posterior probability that it is the best one."""
HALVINGS = 40
"""Of the exponent's range, in logarithms: far more than its sampling error deserves."""
LEAST, MOST = 1e-4, 1e4
"""Exponents; at the one all actions are chosen alike, at the other the most probable one."""


def sampler(family: Family) -> NamedAgent | None:
    """The posterior sampler of a family, None if none is known."""
    try:
        return make_named(SAMPLERS[family.name], family)
    except (KeyError, InvalidTask):
        return None


def entropy(probs: Array) -> Array:
    """In nats, [..., K] -> [...]."""
    found: Array = -(probs * np.log(np.where(probs > 0.0, probs, 1.0))).sum(axis=-1)
    return found


def tempered(probs: Array, exponent: float) -> Array:
    """Probabilities in proportion to a power of some, [N, K] -> [N, K]."""
    with np.errstate(divide="ignore"):
        logs = exponent * np.log(probs)
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    found: Array = weights / weights.sum(axis=1, keepdims=True)
    return found


def matching(probs: Array, mean_entropy: float) -> float:
    """The exponent with which probabilities [N, K] have a mean entropy, or come nearest to it."""
    low, high = np.log(LEAST), np.log(MOST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        if entropy(tempered(probs, float(np.exp(middle)))).mean() > mean_entropy:
            low = middle
        else:
            high = middle
    return float(np.exp((low + high) / 2.0))
