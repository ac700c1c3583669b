"""Hattori 2023: plasticity blocked early, activity blocked late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metalocus.agents.agent import Agent
from metalocus.experiments.claims.double_dissociation import HATTORI, PROBED, STAGES
from metalocus.experiments.probes.carry import Carryover
from metalocus.experiments.replications.base import Check, Part, Replication, Training
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

STEPS = 8_000_000


@dataclass(frozen=True)
class Dissociation(Part):
    """What is lost when training ends at a stage, and when the state is another episode's."""

    def training(self) -> dict[str, Training]:
        """An LSTM after training of every length."""
        return {
            stage: Training(HATTORI, "lstm", round(STEPS * part)) for stage, part in STAGES.items()
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """``plasticity, STAGE`` and ``activity, STAGE``: what blocking costs, as choice values."""
        intact, without = {}, {}
        for stage, agent in agents.items():
            run = Carryover().run(agent, HATTORI, min(PROBED, preset.episodes), seed)
            kept = run["kept"]["resample"]
            intact[stage], without[stage] = kept["all"]["final"], kept["context"]["final"]
        found = {f"plasticity, {stage}": intact["late"] - intact[stage] for stage in STAGES}
        return {
            **found,
            **{f"activity, {stage}": intact[stage] - without[stage] for stage in STAGES},
        }


REPLICATION = Replication(
    "hattori2023",
    "a double dissociation of plasticity and activity in two-lever learning",
    "Hattori et al. 2023, Meta-reinforcement learning via orbitofrontal cortex",
    "Mice choose between levers that pay .6 or .1, and .525 or .175, in blocks of 60 trials and"
    " more. Blocked plasticity hurts learning across sessions early, blocked activity within"
    " sessions late. Pictures alone.",
    "An LSTM in place of mice. Plasticity blocked: training ends at the stage. Activity blocked:"
    " another episode's state is put in place at every trial.",
    (Dissociation("hattori", "two levers, 500 trials", 4.0),),
    (
        Check("hattori", "plasticity, early", ">=", 0.1, "plasticity counts early"),
        Check("hattori", "activity, early", "<=", 0.1, "activity does not, yet"),
        Check("hattori", "activity, late", ">=", 0.5, "activity counts late"),
        Check("hattori", "plasticity, middle", "<=", 0.1, "plasticity does no more"),
    ),
)
