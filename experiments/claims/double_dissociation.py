"""Plasticity early in training, activity late: which loss hurts when?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from metalocus.agents.agent import Agent
from metalocus.experiments.claims.base import RECURRENCE, SHOWN, WEIGHTS, Claim, Prediction
from metalocus.experiments.probes.carry import Carryover
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import FIVE_ARMS, REVERSAL, NamedSetting
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HATTORI = NamedSetting(
    "hattori", "two levers that pay .6 or .1 and switch, 500 trials", "metalocus/HattoriBandit-v0"
)
STAGES = {"early": 0.01, "middle": 0.1, "late": 1.0}
"""Training at which something is blocked, as parts of the whole."""
PROBED = 1000
"""Episodes of the carry probe, which plays every one several times."""


class DoubleDissociation(Claim):
    """What blocked plasticity and blocked activity cost, at three stages of training.

    Plasticity blocked: training ends at the stage, so that all later improvement is lost. Activity
    blocked: at the stage, another episode's state is put in place at every trial. Both costs are
    choice values in the last quarter of an episode (Hattori et al. 2023, in mice).
    """

    number: ClassVar[int] = 18
    name: ClassVar[str] = "double_dissociation"
    statement: ClassVar[str] = (
        "Early in training plasticity is what improvement needs, late in training activity is."
    )
    holds: ClassVar[Mapping[str, str]] = {
        RECURRENCE: "weights learn slowly, across episodes, to make a fast learner of the activity",
        WEIGHTS: "the slow learner is a rule in the weights; what it has made is a fixed response",
    }
    quantities: ClassVar[Mapping[str, str]] = {
        "early": "early in training: cost of blocked plasticity minus cost of blocked activity",
        "late": "late in training: cost of blocked activity minus cost of blocked plasticity",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            RECURRENCE,
            "early",
            ">=",
            0.1,
            "early in training it is plasticity that counts",
            "a tenth of the way from chance to the best arm",
        ),
        Prediction(
            RECURRENCE,
            "late",
            ">=",
            0.5,
            "late in training it is activity that counts",
            "half of the way: most of what a trained agent knows of the episode",
        ),
        Prediction(
            WEIGHTS,
            "early",
            ">=",
            0.1,
            "early in training it is the update of weights that counts",
            "a tenth of the way from chance to the best arm",
        ),
    )
    settings = (HATTORI, FIVE_ARMS, REVERSAL)

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The agent after training of every length."""
        return {
            f"{stage}/{setting.name}": preset.run(preset.agent, setting, seed, part)
            for setting in self.asked_on(preset)
            for stage, part in STAGES.items()
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Costs at every stage."""
        found: dict[str, Any] = {name: {} for name in self.quantities}
        found[SHOWN] = {}
        for setting in self.asked_on(preset):
            intact, without = {}, {}
            for stage in STAGES:
                agent, episodes = agents[f"{stage}/{setting.name}"], min(PROBED, preset.episodes)
                kept = Carryover().run(agent, setting, episodes, seed)["kept"]["resample"]
                intact[stage], without[stage] = kept["all"]["final"], kept["context"]["final"]
            plasticity = {stage: intact["late"] - intact[stage] for stage in STAGES}
            activity = {stage: intact[stage] - without[stage] for stage in STAGES}
            found["early"][setting.name] = plasticity["early"] - activity["early"]
            found["late"][setting.name] = activity["late"] - plasticity["late"]
            found[SHOWN][setting.title] = {
                name: {str(STAGES[stage]): cost for stage, cost in costs.items()}
                for name, costs in (
                    ("plasticity blocked", plasticity),
                    ("activity blocked", activity),
                )
            }
        return found

    def drawn(self, shown: list[Any]) -> Figure:
        """Both costs by stage of training, a panel a task."""
        from metalocus.experiments.claims.drawing import lines_by_number

        return lines_by_number(shown, "part of the training", "cost (choice value)", linear=True)
