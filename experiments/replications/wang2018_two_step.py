"""Wang 2018: the two-step task, and who else shows its signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metalocus.agents.agent import Agent
from metalocus.envs import Setting
from metalocus.experiments.probes.stay import Stay
from metalocus.experiments.replications.base import Check, Part, Replication, Training
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

TASK = Setting("metalocus/TwoStep-v0")


@dataclass(frozen=True)
class TwoStep(Part):
    """Stay probabilities of an LSTM, and of strategies on the same episodes."""

    def training(self, seed: int) -> dict[str, Training]:
        """An LSTM."""
        return {"lstm": Training(TASK, "lstm", 16_000_000)}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Reward × transition interaction and main effect of reward; the score."""
        found = Stay().run(agents["lstm"], TASK, preset.episodes, seed)
        kept = {"interaction": found["interaction"], "reward": found["reward"]}
        for name, effects in found["strategy"].items():
            kept |= {f"{effect}, {name}": effects[effect] for effect in ("interaction", "reward")}
        return {**kept, "score": score(agents["lstm"], TASK, preset.episodes, seed)}


REPLICATION = Replication(
    "wang2018_two_step",
    "model-based behaviour on the two-step task, and a habit that shows it too",
    "Wang et al. 2018, Prefrontal cortex as a meta-reinforcement learning system, figure 5; Akam"
    " et al. 2015, Simple plans or sophisticated habits?",
    "An LSTM of 48 units trained by A2C; common transitions .8, rewards .9 and .1 that change"
    " sides with probability .025; the interaction of reward and transition in stay"
    " probabilities. Pictures alone.",
    "PPO; beside the LSTM six strategies on the same episodes. The interaction alone never says"
    " that an agent plans: a fixed habit of four entries that takes reward as a cue shows 2.0.",
    (TwoStep("two-step", "two-step task, 100 trials of two steps", 6.0),),
    (
        Check("two-step", "interaction", ">=", 0.5, "the signature, a quarter of the habit's"),
        Check("two-step", "interaction, sarsa", "near", 0.16, "values of actions do not", 0.05),
        Check("two-step", "interaction, reward_as_cue", "near", 2.0, "a habit passes too", 0.05),
        Check("two-step", "reward", "near", 0.0, "no main effect of reward", 0.05),
        Check("two-step", "reward, model_free", ">=", 0.1, "which repetition has"),
        Check("two-step", "score", ">=", 0.9, "it has learned the task"),
    ),
)
