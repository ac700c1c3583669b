"""Harlow's learning sets: chance at the first trial, knowledge at the second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metalocus.agents.agent import Agent
from metalocus.envs import Setting
from metalocus.experiments.replications.base import Check, Part, Replication, Training
from metalocus.experiments.scoring.curves import learning_curve
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

TASK = Setting("metalocus/Harlow-v0")


@dataclass(frozen=True)
class LearningSet(Part):
    """Choice value by trial on objects never seen before."""

    def training(self) -> dict[str, Training]:
        """An LSTM."""
        return {"lstm": Training(TASK, "lstm", 16_000_000)}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """``trial N``: choice value, from 0 at chance to 1 at the right object always."""
        found = learning_curve(agents["lstm"], TASK, preset.episodes, seed)
        pairs = zip(found["curve"], found["curve_se"], strict=True)
        kept: dict[str, float | None] = {}
        for trial, (value, error) in enumerate(pairs, 1):
            kept |= {f"trial {trial}": value, f"trial {trial}_se": error}
        return kept


REPLICATION = Replication(
    "harlow",
    "one-trial learning about new objects",
    "Harlow 1949, The formation of learning sets; Wang et al. 2018, Prefrontal cortex as a meta-"
    "reinforcement learning system, simulation 5",
    "Two new objects every six trials, one of which hides food whichever side it is on; an LSTM"
    " on images (Wang 2018) is at chance at the first trial and near 1 at the second.",
    "Objects are eight random numbers, not images; PPO.",
    (LearningSet("harlow-objects", "two new objects, six trials", 6.0),),
    (
        Check("harlow-objects", "trial 1", "near", 0.0, "nothing is known yet", 0.03),
        Check("harlow-objects", "trial 2", ">=", 0.9, "one trial tells all"),
    ),
)
