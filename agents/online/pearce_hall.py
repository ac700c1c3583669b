"""The delta rule whose step size follows the recent absolute prediction errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Store, Stores
from metalocus.agents.online.learner import per_row
from metalocus.agents.online.space import SHARE, STEP, Range
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
class PearceHallSettings(ValueSettings):
    """Constants of the rule.

    Attributes:
        rate: step size where the associability is 1; no step is longer than the prediction error.
        associability: initial value.
        memory_rate: step size of the associability.
    """

    rate: float
    associability: float
    memory_rate: float


class PearceHall(ValueTable[PearceHallSettings]):
    """Learns faster after large prediction errors.

    The associability of a weight multiplies its step size. It is a running mean of the absolute
    prediction errors of the trials in which the weight was active, and is kept with the
    weights. Active features share a step.
    Pearce & Hall 1980, "A model for Pavlovian learning", in the form of Li et al. 2011,
    "Differential roles of human striatum and amygdala in associative learning".
    """

    name: ClassVar[str] = "pearce_hall"
    summary: ClassVar[str] = "online: value table, step size follows recent prediction errors"
    space: ClassVar[Mapping[str, Range]] = {
        **ACTING,
        "rate": STEP,
        "associability": Range(0.0, 1.0),
        "memory_rate": SHARE,
    }
    untuned = PearceHallSettings(
        start=START,
        epsilon=EPSILON,
        temperature=TEMPERATURE,
        rate=0.2,  # the delta rule's step once errors are half of the range of rewards
        associability=1.0,  # nothing is known yet
        memory_rate=0.1,  # as slow as the values
    )
    tuned = {  # best of 400 tried on each task
        ("BernoulliBandit-v0", 2): PearceHallSettings(
            start=0.461,
            epsilon=0.0,
            temperature=0.0351,
            rate=0.348,
            associability=0.878,
            memory_rate=0.0998,
        ),
        ("BernoulliBandit-v0", 5): PearceHallSettings(
            start=0.562,
            epsilon=0.00226,
            temperature=0.0,
            rate=0.571,
            associability=0.857,
            memory_rate=0.0347,
        ),
        ("BernoulliBandit-v0", 10): PearceHallSettings(
            start=0.519,
            epsilon=0.0,
            temperature=0.0359,
            rate=0.772,
            associability=0.67,
            memory_rate=0.0521,
        ),
        ("ReversalBandit-v0", 2): PearceHallSettings(
            start=0.778,
            epsilon=0.00263,
            temperature=0.0,
            rate=0.113,
            associability=0.543,
            memory_rate=0.637,
        ),
    }

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The initial values and associabilities."""
        values = super().start(n, rng).weights["values"]
        associability = np.full_like(values, per_row(self.settings.associability, values))
        return Stores(weights={"values": values, "associability": associability})

    def update(self, weights: Store, x: Array, action: Array, reward: Array) -> Store:
        """A step of the values at the old associability, then one of the associability."""
        values, associability = weights["values"], weights["associability"]
        gradient = value_gradient(x, action, self.n_arms)
        error = prediction_error(x, values, action, reward)
        share = np.minimum(per_row(self.settings.rate, values) * associability, 1.0)
        step = share / (x**2).sum(axis=1)[:, None, None] * error * gradient
        change = (np.abs(error) - associability) * (gradient != 0.0)
        return {
            "values": values + step,
            "associability": associability + per_row(self.settings.memory_rate, change) * change,
        }
