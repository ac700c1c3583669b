"""Filters: learners that infer what pays under a model of how it changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from metalocus.agents.agent import Array
from metalocus.experiments.strategies.learners import Learner
from metalocus.experiments.strategies.strategy import Parameter

HAZARDS = np.array([0.002, 0.01, 0.05, 0.2, 0.5])
"""Grid of hazards that the volatile filter infers from, a factor of about 4 apart."""
LEVEL_HAZARD = 0.01
"""Chance a trial that the hazard changes, as in VolatileBandit."""


class Kalman(Learner):
    """Means of a Kalman filter for values that drift (Daw et al. 2006, "Cortical substrates...").

    Variances are in units of the rewards' noise: each value's begins at ``prior_variance`` and
    grows by ``drift`` a trial; the learning rate is v / (v + 1).
    """

    base = "kalman"
    own = (
        Parameter("drift", 1e-4, 1.0, log=True),
        Parameter("prior_variance", 0.01, 100.0, log=True),
    )

    def begin(self, rates: list[Array], shape: tuple[int, int, int]) -> Any:
        """Means of 1/2 and the prior variance."""
        return np.full(shape, 0.5), np.broadcast_to(rates[1], shape)

    def value(self, state: Any) -> Array:
        """The means."""
        mean: Array = state[0]
        return mean

    def update(self, state: Any, credit: Array, reward: Array, rates: list[Array]) -> Any:
        """One step of the filter for what was chosen, then the drift of all."""
        mean, variance = state
        gain = credit * variance / (variance + 1.0)
        return mean + gain * (reward - mean), variance * (1.0 - gain) + rates[0]


class LatentState(Learner):
    """One object is the good one, and another becomes so at a fixed hazard: the exact filter.

    It pays with ``p``, the others with 1 - ``p`` (Rabiner 1989, equations 19 to 21).
    """

    base = "latent_state"
    own = (Parameter("p", 0.5, 0.999), Parameter("hazard", 1e-4, 0.5, log=True))

    def begin(self, rates: list[Array], shape: tuple[int, int, int]) -> Any:
        """A uniform belief."""
        return np.full(shape, 1.0 / shape[-1])

    def update(self, state: Any, credit: Array, reward: Array, rates: list[Array]) -> Any:
        """Bayes' rule, then a switch."""
        belief = state * likelihood(credit, reward, rates[0])
        belief = belief / belief.sum(axis=-1, keepdims=True)
        elsewhere = (1.0 - belief) / (belief.shape[-1] - 1)
        return belief + rates[1] * (elsewhere - belief)


class VolatileFilter(Learner):
    """As ``latent_state``, with a hazard that is itself inferred and changes (Behrens et al. 2007).

    The hazard is one of ``HAZARDS`` and becomes another with ``LEVEL_HAZARD`` a trial.
    """

    base = "volatile_filter"
    own = (Parameter("p", 0.5, 0.999),)

    def begin(self, rates: list[Array], shape: tuple[int, int, int]) -> Any:
        """A uniform belief over hazards and objects, [P, N, H, O]."""
        cells = len(HAZARDS) * shape[-1]
        return np.full((*shape[:2], len(HAZARDS), shape[-1]), 1.0 / cells)

    def value(self, state: Any) -> Array:
        """The belief that each object is the good one."""
        good: Array = state.sum(axis=2)
        return good

    def update(self, state: Any, credit: Array, reward: Array, rates: list[Array]) -> Any:
        """Bayes' rule, a change of the hazard, then a switch at it."""
        belief = state * likelihood(credit, reward, rates[0])[:, :, None]
        belief = belief / belief.sum(axis=(2, 3), keepdims=True)
        others = (belief.sum(axis=2, keepdims=True) - belief) / (len(HAZARDS) - 1)
        belief = belief + LEVEL_HAZARD * (others - belief)
        total = belief.sum(axis=3, keepdims=True)
        elsewhere = (total - belief) / (belief.shape[-1] - 1)
        return belief + HAZARDS[:, None] * (elsewhere - belief)


def likelihood(credit: Array, reward: Array, p: Array) -> Array:
    """Of a reward [N, 1] if each object is the good one, [P, N, O]."""
    agrees = credit * reward + (1.0 - credit) * (1.0 - reward)
    found: Array = 1.0 - p + (2.0 * p - 1.0) * agrees
    return found
