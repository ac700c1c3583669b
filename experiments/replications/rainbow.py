"""The rainbow bandit of sb3-contrib's issue 211, which RecurrentPPO was said not to learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metalocus.agents.agent import Agent
from metalocus.envs import Setting
from metalocus.experiments.replications.base import Check, Part, Replication, Training
from metalocus.experiments.scoring.curves import learning_curve
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

TASK = Setting("metalocus/RainbowBandit-v0")


@dataclass(frozen=True)
class Rainbow(Part):
    """Score and choice value at the second trial."""

    def training(self) -> dict[str, Training]:
        """An LSTM, and one-step memory, which is told all that there is to know once alone."""
        return {
            "lstm": Training(TASK, "lstm", 8_000_000),
            "one-step memory": Training(TASK, "mlp_feedback", 2_000_000),
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """By agent."""
        found = {}
        for name, agent in agents.items():
            curve = learning_curve(agent, TASK, preset.episodes, seed)["curve"]
            found[f"score, {name}"] = score(agent, TASK, preset.episodes, seed)
            found[f"trial 2, {name}"] = curve[1]
        return found


REPLICATION = Replication(
    "rainbow",
    "the rainbow bandit: a recurrent policy is to bind reward to a colour",
    "Juliani 2017, Learning policies for learning policies; Stable-Baselines3-contrib issue 211,"
    " Recurrent PPO not training well on a very simple environment",
    "RecurrentPPO was reported to stay near chance on two arms of new colours every episode, one"
    " of which pays, on a random side.",
    "The same task with this package's PPO, whose rollouts are whole episodes. RecurrentPPO itself"
    " is not run.",
    (Rainbow("rainbow-colours", "two colours, 100 trials", 5.0),),
    (
        Check("rainbow-colours", "score, lstm", ">=", 0.95, "the task is simple"),
        Check("rainbow-colours", "trial 2, lstm", ">=", 0.85, "one reward tells the colour"),
        Check("rainbow-colours", "score, one-step memory", "<=", 0.5, "memory is needed"),
    ),
)
