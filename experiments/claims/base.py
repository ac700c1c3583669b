"""What a claim is: a statement, the predictions of each side, a measurement, a verdict.

Predictions are written in the claim's file before anything is run. The verdict follows from
the predictions and the measured interval alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import make_named
from metalocus.envs import InvalidTask
from metalocus.envs.discovery import Registry, classes
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.scoring.intervals import interval, judge, more_seeds
from metalocus.experiments.scoring.score import return_bounds
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured, require_measured

RECURRENCE = "recurrence"
WEIGHTS = "weights"
SIDES = {
    RECURRENCE: "a recurrent policy trained by plain RL on a distribution of tasks becomes a"
    " learning algorithm of its own, run by its activations while its weights stand still",
    WEIGHTS: "an RL algorithm could carry out in the weights whatever the recurrent updates do;"
    " where today's algorithms fall short, that is a fact about their rule, not about the store",
}
"""The two sides of the debate, each with its position in words (Wang et al. 2016, 2018; the
replies of Mikulik)."""
ENOUGH = 100
"""Episodes that show whether random choice earns as much as the best reference."""
Values = dict[str, dict[str, float]]
"""Measured numbers by quantity and setting."""


@dataclass(frozen=True)
class Prediction:
    """What one side expects of a measured quantity.

    Attributes:
        side: one of ``SIDES``.
        quantity: a key of the claim's ``quantities``.
        relation: ``>=`` or ``<=``.
        bound: border of the predicted region, fixed before the runs.
        says: the prediction in words, a sentence without its full stop; ``the agent`` is the one
            that the claim is about.
        by_construction: the way the agents are built decides the outcome before anything is
            trained. Such a prediction checks the measurement and is no finding.
    """

    side: str
    quantity: str
    relation: str
    bound: float
    says: str
    by_construction: bool = False


class Claim(ABC):
    """One claim of the debate: a study whose measurements are judged.

    Subclasses in ``experiments/claims`` are found by their presence there. The agent that a claim
    is about and the settings are those of the preset.

    Attributes:
        name: as given on the command line.
        statement: what is claimed.
        quantities: what is measured, by name, in words.
        predictions: of both sides, as a holder would sign them. A side that does not dispute the
            statement predicts nothing.
        players: agents without training that the claim sets beside the one that it is about.
    """

    name: ClassVar[str]
    statement: ClassVar[str]
    quantities: ClassVar[Mapping[str, str]]
    predictions: ClassVar[tuple[Prediction, ...]]
    players: ClassVar[tuple[str, ...]] = ()

    def why_not(self, preset: Preset) -> str | None:
        """Why the claim cannot be asked of a preset's agent and settings; None if it can.

        Here: a setting without a score, or that one of ``players`` cannot play.
        """
        for setting in preset.settings:
            try:
                return_bounds(setting, ENOUGH, seed=0)
                for name in self.players:
                    make_named(name, setting.family)
            except InvalidTask as error:
                return str(error)
        return None

    @abstractmethod
    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The training runs of one seed, by the name that :meth:`measure` knows them by."""

    @abstractmethod
    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Values:
        """The quantities of one training seed, each by setting.

        Args:
            agents: the trained agents of :meth:`runs`.
            preset: how many episodes to play.
            seed: of the fresh episodes.
        """

    def verdict(self, measured: Mapping[int, Measured]) -> dict[str, Any]:
        """Every prediction judged on the measurements of all training seeds, ready for JSON.

        Args:
            measured: what :meth:`measure` gave, by training seed.

        Raises:
            NonFinite: a measured number is not finite.
            ValueError: training seeds differ in the settings or quantities that were measured.
        """
        require_measured(self.name, measured)
        by_setting = {name: _by_setting(name, measured) for name in self.quantities}
        stacked = {name: np.array(list(rows.values())) for name, rows in by_setting.items()}
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
                name: {"about": about, **asdict(found[name]), "values": by_setting[name]}
                for name, about in self.quantities.items()
            },
            "predictions": judged,
        }


def _by_setting(quantity: str, measured: Mapping[int, Measured]) -> dict[str, list[float]]:
    """Values of a quantity by setting, one for each training seed in order."""
    ordered = [values[quantity] for _, values in sorted(measured.items())]
    return {setting: [values[setting] for values in ordered] for setting in ordered[0]}


def _claims(module: ModuleType) -> Iterator[tuple[str, Claim]]:
    for name, cls in classes(Claim)(module):  # type: ignore[type-abstract]
        yield name, cls()


CLAIMS = Registry("claim", "metalocus.experiments.claims", _claims)
"""Every claim in ``experiments/claims``, by name."""
