"""Hattori 2023: plasticity blocked early, activity blocked late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metalocus.agents.agent import Agent
from metalocus.experiments.claims.double_dissociation import HATTORI, PROBED
from metalocus.experiments.probes.carry import Carryover
from metalocus.experiments.replications.base import Check, Part, Replication, Training
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

STEPS = 8_000_000
STAGES = {"early": 0.03, "middle": 0.1, "late": 1.0}
"""Trainings, as parts of the whole; early there is something to lose (.1 to .5 at seed 900)."""
EARLY, LATE = "early, plasticity minus activity", "late, activity minus plasticity"


@dataclass(frozen=True)
class Dissociation(Part):
    """What is lost when training ends at a stage, and when the state is another episode's."""

    def training(self, seed: int) -> dict[str, Training]:
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
            rest = kept.get("context", kept.get("none", kept["all"]))  # as far as it has stores
            intact[stage], without[stage] = kept["all"]["final"], rest["final"]
        plasticity = {stage: intact["late"] - intact[stage] for stage in STAGES}
        activity = {stage: intact[stage] - without[stage] for stage in STAGES}
        return {
            **{f"plasticity, {stage}": cost for stage, cost in plasticity.items()},
            **{f"activity, {stage}": cost for stage, cost in activity.items()},
            EARLY: plasticity["early"] - activity["early"],
            LATE: activity["late"] - plasticity["late"],
        }


REPLICATION = Replication(
    "hattori2023",
    "a double dissociation of plasticity and activity in two-lever learning",
    "Hattori et al. 2023, Meta-reinforcement learning via orbitofrontal cortex",
    "Mice choose between levers that pay .6 or .1, and .525 or .175, in blocks of 60 trials and"
    " more. Blocked plasticity hurts learning across sessions early, blocked activity within"
    " sessions late. Pictures alone.",
    "An LSTM in place of mice. Plasticity blocked: what a training of that length has, beside one"
    " of the whole length; each has the engine's schedules over its own length. So late nothing can"
    " be lost by it. Activity blocked: another episode's state is put in place at every trial."
    " Costs are choice values in the last quarter of the episode. With a first stage of a hundredth"
    " of the steps, and other borders, all checks had passed on an older state of this code.",
    (Dissociation("hattori", "two levers, 500 trials", 4.0),),
    (
        Check("hattori", "activity, early", ">=", 0.05, "early too there is something to lose"),
        Check("hattori", EARLY, ">=", 0.1, "early, blocked plasticity costs more"),
        Check("hattori", LATE, ">=", 0.5, "late, blocked activity does"),
    ),
)
