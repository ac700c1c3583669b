"""The delta rule whose step size is one over the number of pulls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Store, Stores
from metalocus.agents.online.learner import per_row
from metalocus.agents.online.space import Range
from metalocus.agents.online.value_table import (
    ACTING,
    EPSILON,
    START,
    TEMPERATURE,
    ValueSettings,
    ValueTable,
    prediction_error,
    value_gradient,
)


@dataclass(frozen=True)
class AverageSettings(ValueSettings):
    """Constants of the rule.

    Attributes:
        prior_pulls: number of pulls that the initial value counts for.
    """

    prior_pulls: float


class DeltaRuleAverage(ValueTable[AverageSettings]):
    """Moves a value by 1/N of the prediction error, so that it is the mean of the rewards.

    N is the arm's number of pulls plus that which the initial value counts for. With a
    stimulus, N counts how often a feature was active with the arm, and the active features
    share the step. The counts are kept with the weights, as an optimizer's state is. Sutton &
    Barto 2018, "Reinforcement learning", equation 2.3.
    """

    name: ClassVar[str] = "delta_rule_average"
    summary: ClassVar[str] = "online: value table with step size 1/N"
    space: ClassVar[Mapping[str, Range]] = {
        **ACTING,
        "prior_pulls": Range(0.1, 10.0, log=True, half=0.0),
    }
    untuned = AverageSettings(
        start=START,
        epsilon=EPSILON,
        temperature=TEMPERATURE,
        prior_pulls=0.0,  # a value is the mean of the rewards and of nothing else
    )
    tuned = {  # best of 400 tried on each task
        ("BernoulliBandit-v0", 2): AverageSettings(
            start=0.739, epsilon=0.0, temperature=0.0122, prior_pulls=1.69
        ),
        ("BernoulliBandit-v0", 5): AverageSettings(
            start=0.78, epsilon=0.00225, temperature=0.0, prior_pulls=5.91
        ),
        ("BernoulliBandit-v0", 10): AverageSettings(
            start=0.78, epsilon=0.00225, temperature=0.0, prior_pulls=5.91
        ),
        ("ReversalBandit-v0", 2): AverageSettings(
            start=1.05, epsilon=0.00524, temperature=0.0, prior_pulls=8.97
        ),
    }

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The initial values, and the number of pulls they count for."""
        values = super().start(n, rng).weights["values"]
        pulls = np.full_like(values, per_row(self.settings.prior_pulls, values))
        return Stores(weights={"values": values, "pulls": pulls})

    def update(self, weights: Store, x: Array, action: Array, reward: Array) -> Store:
        """One step of size 1/N on the squared prediction error."""
        values = weights["values"]
        gradient = value_gradient(x, action, self.n_arms)
        pulls = weights["pulls"] + gradient**2
        rate = 1.0 / (np.maximum(pulls, 1.0) * (x**2).sum(axis=1)[:, None, None])
        step = rate * prediction_error(x, values, action, reward) * gradient
        return {"values": values + step, "pulls": pulls}
