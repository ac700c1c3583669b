"""The rainbow bandit of sb3-contrib's issue 211, which RecurrentPPO was said not to learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sb3_contrib import RecurrentPPO

from metalocus.agents.agent import Agent
from metalocus.agents.trained.foreign import ForeignAgent
from metalocus.envs import Setting
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.experiments.replications.base import Check, Part, Replication, Training
from metalocus.experiments.scoring.curves import learning_curve
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

TASK = Setting("metalocus/RainbowBandit-v0")
THEIRS = "RecurrentPPO"
N_ENVS = 256
FASTEST: Mapping[str, Any] = {"batch_size": 6_400, "n_epochs": 4}
"""Settings with which RecurrentPPO is fastest in ``bench train``; a rollout is whole episodes. With
its defaults a million steps would take hours."""
STEPS = {"smoke": 200, "quick": 250_000, "full": 2_000_000}
"""Of RecurrentPPO by size; its issue reports 1e6 to 1e8."""


@dataclass(frozen=True)
class Rainbow(Part):
    """Score and choice value at the second trial."""

    def training(self, seed: int) -> dict[str, Training]:
        """An LSTM, and one-step memory, which never sees the last colours."""
        return {
            "lstm": Training(TASK, "lstm", 8_000_000),
            "one-step memory": Training(TASK, "mlp_feedback", 2_000_000),
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """By agent; RecurrentPPO is trained here, since it makes no runs of this package."""
        found = {}
        for name, agent in {**agents, THEIRS: recurrent_ppo(STEPS[preset.name], seed)}.items():
            curve = learning_curve(agent, TASK, preset.episodes, seed)["curve"]
            found[f"score, {name}"] = score(agent, TASK, preset.episodes, seed)
            found[f"trial 2, {name}"] = curve[1]
        return found


def recurrent_ppo(steps: int, seed: int) -> ForeignAgent:
    """sb3-contrib's agent after so many steps; all but ``FASTEST`` is its default."""
    env = BatchVecEnv(TASK.env, N_ENVS, seed=seed, **TASK.kwargs)
    settings: dict[str, Any] = {
        **FASTEST,
        "n_steps": TASK.family.horizon,
        "seed": seed,
        "device": "cpu",
    }
    model = RecurrentPPO("MlpLstmPolicy", env, **settings)
    model.learn(steps)
    return ForeignAgent(model.policy, TASK.layout)


REPLICATION = Replication(
    "rainbow",
    "the rainbow bandit: a recurrent policy is to bind reward to a colour",
    "Juliani 2017, Learning policies for learning policies; Stable-Baselines3-contrib issue 211,"
    " Recurrent PPO not training well on a very simple environment",
    "RecurrentPPO did not learn two arms of new colours every episode, one of which pays, on a"
    " random side, in 1e6 to 1e8 steps and with tuned settings; no number is given.",
    "The same task with this package's PPO, whose rollouts are whole episodes, and with"
    f" RecurrentPPO, not tuned, for {STEPS['full']:,} steps in {N_ENVS} environments."
    " One-step memory cannot know the last colours, and chance was expected of it. Who ranks"
    " colours without fail, as one-step memory does objects in harlow, scores .5; whether it does"
    " so here is not measured. What is beyond that is memory of a colour.",
    (Rainbow("rainbow-colours", "two colours, 100 trials", 20.0),),
    (
        Check("rainbow-colours", "score, lstm", ">=", 0.95, "the task is simple"),
        Check("rainbow-colours", "trial 2, lstm", ">=", 0.85, "one reward tells the colour"),
        Check("rainbow-colours", f"score, {THEIRS}", "<=", 0.5, "as the issue has it"),
        Check("rainbow-colours", "score, one-step memory", "near", 0.0, "memory does it", 0.05),
    ),
)
