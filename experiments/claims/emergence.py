"""Does plain RL make a recurrent network a learner, its weights frozen?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import make_named
from metalocus.experiments.claims.base import RECURRENCE, WEIGHTS, Claim, Prediction, Values
from metalocus.experiments.claims.presets import Preset
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.scoring.settings import BANDIT, REVERSAL, score

TASKS = (BANDIT, REVERSAL)


class Emergence(Claim):
    """Score of a frozen LSTM, and what is left when each of Botvinick's conditions is removed.

    The three conditions are memory, training by RL, and a sequence of related tasks (Wang
    et al. 2016; Botvinick et al. 2019). Removing memory leaves the feedforward agent that
    sees the last action and reward; removing training leaves the initial network; removing
    the related tasks leaves an LSTM trained on one fixed task of the bandit family.
    """

    name: ClassVar[str] = "emergence"
    statement: ClassVar[str] = (
        "A recurrent policy trained by plain RL on a distribution of tasks learns within the "
        "episode, its weights frozen."
    )
    quantities: ClassVar[Mapping[str, str]] = {
        "score": "frozen LSTM; 0 random choice, 1 the best reference",
        "above_wsls": "the same, minus the score of win-stay, lose-shift",
        "without_memory": "what a feedforward agent with one-step memory loses against it",
        "without_training": "what the same LSTM before training loses against it",
        "without_related_tasks": "what an LSTM trained on a single bandit loses against it",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(RECURRENCE, "score", ">=", 0.9, "frozen, it comes near the best reference"),
        Prediction(RECURRENCE, "above_wsls", ">=", 0.05, "it does more than repeat a success"),
        Prediction(RECURRENCE, "without_memory", ">=", 0.05, "memory is needed"),
        Prediction(RECURRENCE, "without_training", ">=", 0.5, "training is needed"),
        Prediction(RECURRENCE, "without_related_tasks", ">=", 0.5, "related tasks are needed"),
        Prediction(
            WEIGHTS,
            "above_wsls",
            "<=",
            0.0,
            "with frozen weights nothing is learned: it can only react to the last outcome",
        ),
    )

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """LSTM and one-step memory on both tasks; LSTM on one fixed bandit; untrained LSTMs."""
        found = {"single": preset.run("lstm", BANDIT, seed, part=0.5, n_tasks=1)}
        for task in TASKS:
            found[f"trained/{task.name}"] = preset.run("lstm", task, seed)
            found[f"untrained/{task.name}"] = preset.run("lstm", task, seed, part=0.0)
            found[f"one-step/{task.name}"] = preset.run("mlp_feedback", task, seed)
        return found

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Values:
        """Scores on fresh tasks of the whole distribution."""
        values: Values = {name: {} for name in self.quantities}
        for task in TASKS:
            trained = score(agents[f"trained/{task.name}"], task, preset.episodes, seed)
            values["score"][task.name] = trained
            for quantity, other in (
                ("above_wsls", make_named("wsls", task.family)),
                ("without_memory", agents[f"one-step/{task.name}"]),
                ("without_training", agents[f"untrained/{task.name}"]),
            ):
                values[quantity][task.name] = trained - score(other, task, preset.episodes, seed)
        single = score(agents["single"], BANDIT, preset.episodes, seed)
        values["without_related_tasks"]["bandit"] = values["score"]["bandit"] - single
        return values
