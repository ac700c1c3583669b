"""Raventós 2023: from a memory of training tasks to the true prior, by their number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metalocus.agents.agent import Agent
from metalocus.experiments.claims.diversity import limited, side_of, task_seeds, threshold
from metalocus.experiments.replications.base import Check, Part, Replication, Training
from metalocus.experiments.runs.named import FIVE_ARMS
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

NUMBERS = (1, 4, 16, 64, 256)
"""Training tasks."""
PROBED = 1000
STEPS = 8_000_000


@dataclass(frozen=True)
class Tasks(Part):
    """Whether choices on new tasks are Bayes on the training tasks (-1) or under the prior (1)."""

    def training(self) -> dict[str, Training]:
        """An LSTM on every number of tasks, the same ones at every training seed."""
        own, _ = task_seeds(0)
        return {str(n): Training(limited(FIVE_ARMS, n, own), "lstm", STEPS) for n in NUMBERS}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """``side, N``, and the number of tasks at which it crosses 0, in powers of two."""
        own, _ = task_seeds(0)
        sides = {}
        for n in NUMBERS:
            tasks, episodes = limited(FIVE_ARMS, n, own), min(PROBED, preset.episodes)
            sides[n] = side_of(agents[str(n)], tasks, FIVE_ARMS, episodes, seed).side
        found: dict[str, float | None] = {f"side, {n}": side for n, side in sides.items()}
        return {**found, "log2 of the threshold": threshold(sides)}


REPLICATION = Replication(
    "raventos",
    "a threshold in the number of training tasks between memory and learning",
    "Raventós et al. 2023, Pretraining task diversity and the emergence of non-Bayesian in-context"
    " learning for regression",
    "Transformers on linear regression, pretrained on 2 to 2^20 tasks: below a threshold they are"
    " Bayes on those tasks (M), above it Bayes under the true prior (G). Pictures alone.",
    "An LSTM on five-armed bandits, where M and G are both exact.",
    (Tasks("raventos", "five arms, 1 to 256 training tasks", 12.0),),
    (
        Check("raventos", "side, 4", "<=", -0.5, "few tasks: a memory of them"),
        Check("raventos", "side, 256", ">=", 0.5, "many tasks: the true prior"),
        Check("raventos", "log2 of the threshold", "near", 5.0, "between 4 and 256 tasks", 3.0),
    ),
)
