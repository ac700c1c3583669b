"""Does a recurrent network trained by plain RL learn within an episode, its weights frozen?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import make_named
from metalocus.experiments.claims.base import RECURRENCE, Claim, Prediction, Values
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset


class Emergence(Claim):
    """Score of a frozen LSTM, and of agents that each lack one condition of emergence.

    The three conditions are memory, training by RL, and a sequence of related tasks (Wang
    et al. 2016; Botvinick et al. 2019). The agent without memory is the feedforward one that
    sees the last action and reward. The agent without training is the initial network. The
    agent without related tasks is an LSTM trained on one fixed bandit.
    """

    name: ClassVar[str] = "emergence"
    players: ClassVar[tuple[str, ...]] = ("wsls",)
    statement: ClassVar[str] = (
        "A recurrent policy trained by plain RL on a distribution of tasks learns within the "
        "episode, its weights frozen."
    )
    quantities: ClassVar[Mapping[str, str]] = {
        "score": "score of the frozen agent: 0 is random choice, 1 the best reference",
        "above_wsls": "score of the frozen agent minus that of win-stay, lose-shift",
        "without_memory": "score of the frozen agent minus that of a network with one-step memory",
        "without_training": "score of the frozen agent minus that of the same network "
        "before training",
        "without_related_tasks": "score of the frozen agent minus that of the same kind of network "
        "trained on one bandit",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            RECURRENCE,
            "score",
            ">=",
            0.9,
            "with frozen weights the agent comes near the best reference",
        ),
        Prediction(
            RECURRENCE,
            "above_wsls",
            ">=",
            0.05,
            "the agent does more than repeat what was rewarded and leave what was not",
        ),
        Prediction(
            RECURRENCE,
            "without_memory",
            ">=",
            0.05,
            "without memory of more than one step the score is lower",
        ),
        Prediction(
            RECURRENCE, "without_training", ">=", 0.5, "without training the score is far lower"
        ),
        Prediction(
            RECURRENCE,
            "without_related_tasks",
            ">=",
            0.5,
            "without related tasks to train on the score is far lower",
        ),
    )

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The agent trained and untrained, one-step memory; the agent on one fixed task."""
        agent, first = preset.agent, preset.settings[0]
        found = {"single": preset.run(agent, first, seed, part=0.5, n_tasks=1)}
        for setting in preset.settings:
            found[f"trained/{setting.name}"] = preset.run(agent, setting, seed)
            found[f"untrained/{setting.name}"] = preset.run(agent, setting, seed, part=0.0)
            found[f"one-step/{setting.name}"] = preset.run("mlp_feedback", setting, seed)
        return found

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Values:
        """Scores on fresh tasks of the whole distribution."""
        values: Values = {name: {} for name in self.quantities}
        for setting in preset.settings:
            trained = score(agents[f"trained/{setting.name}"], setting, preset.episodes, seed)
            values["score"][setting.name] = trained
            for quantity, other in (
                ("above_wsls", make_named("wsls", setting.family)),
                ("without_memory", agents[f"one-step/{setting.name}"]),
                ("without_training", agents[f"untrained/{setting.name}"]),
            ):
                rest = score(other, setting, preset.episodes, seed)
                values[quantity][setting.name] = trained - rest
        first = preset.settings[0]
        single = score(agents["single"], first, preset.episodes, seed)
        values["without_related_tasks"][first.name] = values["score"][first.name] - single
        return values
