"""Raventós 2023: from a memory of training tasks to the true prior, by their number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metalocus.agents.agent import Agent
from metalocus.experiments.claims.diversity import (
    BayesOnTasks,
    limited,
    side_of,
    task_seeds,
    threshold,
    training_tasks,
)
from metalocus.experiments.replications.base import Check, Part, Replication, Training
from metalocus.experiments.runs.named import FIVE_ARMS
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

NUMBERS = (4, 16, 64, 256)
"""Training tasks."""
FEW, MANY = NUMBERS[0], NUMBERS[-1]
UNLIMITED = "unlimited"
PROBED = 1000
STEPS = 8_000_000
LOST = f"part of M's loss on new tasks, {FEW}"
BEHIND = f"score on new tasks, {MANY} minus {UNLIMITED}"


@dataclass(frozen=True)
class Tasks(Part):
    """Whether choices are those of Bayes on the training tasks (M) or under the prior (G)."""

    def training(self, seed: int) -> dict[str, Training]:
        """An LSTM on every number of tasks, other ones at every training seed; and on all."""
        own, _ = task_seeds(seed)
        few = {f"{n}/{own}": Training(limited(FIVE_ARMS, n, own), "lstm", STEPS) for n in NUMBERS}
        return {**few, UNLIMITED: Training(FIVE_ARMS, "lstm", STEPS)}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """By number of tasks, on these and on new ones: scores, side, and surprise of M over G."""
        episodes = min(PROBED, preset.episodes)
        everyone = agents[UNLIMITED]
        found: dict[str, float | None] = {}
        earned: dict[int, float] = {}
        sides: dict[int, float | None] = {}
        for name, agent in agents.items():
            if name == UNLIMITED:
                continue
            n, own = map(int, name.split("/"))
            tasks = limited(FIVE_ARMS, n, own)
            for where, played in (("its tasks", tasks), ("new tasks", FIVE_ARMS)):
                side = side_of(agent, tasks, played, episodes, seed)
                sides[n], earned[n] = side.side, score(agent, played, preset.episodes, seed)
                found[f"score on {where}, {n}"] = earned[n]
                found[f"nats on {where}, {n}"] = side.nats
                found[f"side on {where}, {n}"] = side.side  # those on new tasks come last
            if n == FEW:
                control = side_of(everyone, tasks, FIVE_ARMS, episodes, seed)
                found[f"nats on new tasks, {n}, {UNLIMITED}"] = control.nats
                memory = BayesOnTasks(tasks.family, training_tasks(tasks))
                lost = 1.0 - score(memory, FIVE_ARMS, preset.episodes, seed)
                found[LOST] = (1.0 - earned[n]) / lost
        mine = score(everyone, FIVE_ARMS, preset.episodes, seed)
        return {
            **found,
            f"score on new tasks, {UNLIMITED}": mine,
            BEHIND: earned[MANY] - mine,
            "log2 of the threshold": threshold(sides),
        }


REPLICATION = Replication(
    "raventos",
    "a threshold in the number of training tasks between memory and learning",
    "Raventós et al. 2023, Pretraining task diversity and the emergence of non-Bayesian in-context"
    " learning for regression",
    "Transformers on linear regression, pretrained on 2 to 2^20 tasks: below a threshold they are"
    " Bayes on those tasks (M), above it Bayes under the true prior (G). Pictures alone.",
    "An LSTM on five-armed bandits, where M and G are both exact; other tasks at every training"
    " seed. Nats are the surprise of the best softmax of M at the agent's choices minus that of G:"
    " below 0 it is nearer to M, and random choice is at 0. With few tasks the two are far apart"
    " (M itself is at -.1 to -.6 on its tasks and about -1 on new ones, learners of the prior are"
    " above .19 and .67); with 256 they are as good as one, so there the score on new tasks counts"
    " beside that of an agent without a limit. The side, from -1 (M) to 1 (G), and where it crosses"
    " 0 are shown alone.",
    (Tasks("raventos", "five arms, 4 to 256 tasks", 12.0),),
    (
        Check("raventos", f"nats on its tasks, {FEW}", "<=", -0.03, "few tasks: a memory of them"),
        Check("raventos", f"nats on new tasks, {FEW}", "<=", -0.3, "which takes new ones for them"),
        Check("raventos", LOST, ">=", 0.5, "and fails there, as M does"),
        Check("raventos", f"nats on new tasks, {FEW}, {UNLIMITED}", ">=", 0.3, "all tasks: G"),
        Check("raventos", f"score on new tasks, {UNLIMITED}", ">=", 0.9, "which has learned"),
        Check("raventos", BEHIND, ">=", -0.03, "many tasks: as good on new ones as with all"),
    ),
)
