"""The delta rule with a constant step size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from metalocus.agents.agent import Array, Store
from metalocus.agents.online.learner import per_row
from metalocus.agents.online.space import SHARE, Range
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
class DeltaSettings(ValueSettings):
    """Constants of the rule.

    Attributes:
        rate: step size.
    """

    rate: float


class DeltaRule(ValueTable[DeltaSettings]):
    """Moves the pulled arm's value by a constant fraction of the prediction error.

    Rescorla & Wagner 1972, "A theory of Pavlovian conditioning"; with a stimulus, the
    least-mean-squares rule of Widrow & Hoff 1960.
    """

    name: ClassVar[str] = "delta_rule"
    summary: ClassVar[str] = "online: value table with a constant step size"
    space: ClassVar[Mapping[str, Range]] = {**ACTING, "rate": SHARE}
    untuned = DeltaSettings(
        start=START,
        epsilon=EPSILON,
        temperature=TEMPERATURE,
        rate=0.1,  # Sutton & Barto 2018, exercise 2.5
    )
    tuned = {  # best of 400 tried on each task
        ("BernoulliBandit-v0", 2): DeltaSettings(
            start=0.4, epsilon=0.0, temperature=0.03, rate=0.213
        ),
        ("BernoulliBandit-v0", 5): DeltaSettings(
            start=0.58, epsilon=0.00568, temperature=0.0, rate=0.0918
        ),
        ("BernoulliBandit-v0", 10): DeltaSettings(
            start=0.723, epsilon=0.00401, temperature=0.0, rate=0.0462
        ),
        ("ReversalBandit-v0", 2): DeltaSettings(
            start=0.688, epsilon=0.0, temperature=0.0125, rate=0.132
        ),
    }

    def update(self, weights: Store, x: Array, action: Array, reward: Array) -> Store:
        """One gradient step on the squared prediction error."""
        values = weights["values"]
        error = prediction_error(x, values, action, reward)
        step = error * value_gradient(x, action, self.n_arms)
        return {"values": values + per_row(self.settings.rate, step) * step}
