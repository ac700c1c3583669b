"""What a claim is: a statement, each side's prediction, a measurement, a verdict.

Predictions are written down in the claim's file before anything is run, and the verdict
follows from them and the measured interval alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from metalocus.agents.agent import Agent
from metalocus.envs.discovery import Registry, classes
from metalocus.experiments.claims.presets import Preset
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.scoring.intervals import interval, judge, more_seeds

RECURRENCE = "recurrence"
WEIGHTS = "weights"
SIDES = {
    RECURRENCE: "learning emerges in the dynamics of a recurrent network with frozen weights",
    WEIGHTS: "whatever recurrence does, updating the weights after every transition does",
}
Values = dict[str, dict[str, float]]
"""Measured numbers by quantity and stratum (the task's name)."""


@dataclass(frozen=True)
class Prediction:
    """What one side expects of a measured quantity.

    Attributes:
        side: one of ``SIDES``.
        quantity: a key of the claim's ``quantities``.
        relation: ``>=`` or ``<=``.
        bound: border of the predicted region: the margin, stated beforehand.
        says: the prediction in words.
        by_construction: how the agents are built decides it, before anything is trained; it checks
            the apparatus and is no finding.
    """

    side: str
    quantity: str
    relation: str
    bound: float
    says: str
    by_construction: bool = False


class Claim(ABC):
    """One claim of the debate. Subclasses in ``experiments/claims`` are found by presence there.

    Class attributes:
        name: as given on the command line.
        statement: what is claimed.
        quantities: what is measured, by name, in words.
        predictions: of both sides.
    """

    name: ClassVar[str]
    statement: ClassVar[str]
    quantities: ClassVar[Mapping[str, str]]
    predictions: ClassVar[tuple[Prediction, ...]]

    @abstractmethod
    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The training runs of one seed, by the name that :meth:`measure` knows them by."""

    @abstractmethod
    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Values:
        """The quantities of one training seed, each by stratum.

        Args:
            agents: the trained agents of :meth:`runs`.
            preset: how many episodes to play.
            seed: of the fresh episodes.
        """

    def verdict(self, measured: Mapping[int, Values]) -> dict[str, Any]:
        """Every prediction judged on the measurements of all seeds, ready for JSON."""
        stacked = {name: _stack(name, measured) for name in self.quantities}
        found = {name: interval(values) for name, values in stacked.items()}
        judged = []
        for prediction in self.predictions:
            values, now = stacked[prediction.quantity], found[prediction.quantity]
            outcome = judge(now, prediction.relation, prediction.bound)
            undecided = outcome == "undecided"
            more = more_seeds(values, prediction.bound) if undecided else 0
            judged.append({**asdict(prediction), "verdict": str(outcome), "more_seeds": more})
        return {
            "claim": self.name,
            "statement": self.statement,
            "quantities": {
                name: {"about": about, **asdict(found[name]), "values": _listed(name, measured)}
                for name, about in self.quantities.items()
            },
            "predictions": judged,
        }


def _stack(quantity: str, measured: Mapping[int, Values]) -> np.ndarray[Any, Any]:
    """Values of a quantity, [strata, seeds]."""
    rows = [list(values[quantity].values()) for _, values in sorted(measured.items())]
    return np.array(rows).T


def _listed(quantity: str, measured: Mapping[int, Values]) -> dict[str, list[float]]:
    """Values of a quantity by stratum, one for each seed."""
    ordered = [values[quantity] for _, values in sorted(measured.items())]
    return {stratum: [values[stratum] for values in ordered] for stratum in ordered[0]}


def _claims(module: ModuleType) -> Iterator[tuple[str, Claim]]:
    for name, cls in classes(Claim)(module):  # type: ignore[type-abstract]
        yield name, cls()


CLAIMS = Registry("claim", "metalocus.experiments.claims", _claims)
"""Every claim in ``experiments/claims``, by name."""
