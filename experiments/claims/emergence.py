"""Does a recurrent network trained by plain RL learn within an episode, its weights frozen?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import make_named
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.claims.base import RECURRENCE, Claim, Prediction, Values
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import FIVE_ARMS, INFORMATIVE, REVERSAL, RULES
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset

SIMPLE = ("wsls", "greedy", "rescorla_wagner", "recent_winner")
"""What an agent must beat to have learned more than a habit; left out where they cannot play."""


class Emergence(Claim):
    """Score of a frozen LSTM, and of agents that each lack one condition of emergence.

    The three conditions are memory, training by RL, and a sequence of related tasks (Wang
    et al. 2016; Botvinick et al. 2019). The agent without memory is the feedforward one that
    sees the last action and reward. The agent without training is the initial network. The
    agent without related tasks is trained on one fixed task, another one at every seed. All are
    trained for equally many steps.
    """

    number: ClassVar[int] = 1
    name: ClassVar[str] = "emergence"
    statement: ClassVar[str] = (
        "A recurrent policy trained by plain RL on a distribution of tasks learns within the "
        "episode, its weights frozen, about as well as can be; memory, training and related tasks "
        "are all needed."
    )
    holds: ClassVar[Mapping[str, str]] = {
        RECURRENCE: "a learning algorithm of its own emerges in the activations"
    }
    quantities: ClassVar[Mapping[str, str]] = {
        "score": "score of the frozen agent: 0 is random choice, 1 the best reference",
        "above_simple": "score of the frozen agent minus that of the best of win-stay lose-shift, "
        "greedy on posterior means, Rescorla-Wagner and play the recent winner",
        "without_memory": "score of the frozen agent minus that of a network with one-step memory",
        "without_training": "score of the frozen agent minus that of the same network "
        "before training",
        "without_related_tasks": "score of the frozen agent minus that of the same kind of network "
        "trained on one task",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            RECURRENCE,
            "score",
            ">=",
            0.97,
            "with frozen weights the agent comes near the best reference",
            "beyond Rescorla-Wagner on five arms (.94) and its best form on reversals (.95)",
        ),
        Prediction(
            RECURRENCE,
            "above_simple",
            ">=",
            0.02,
            "the agent does more than the simple rules do",
            "on five arms Rescorla-Wagner scores .94 and near-optimal play 1: a third of the gap",
        ),
        Prediction(
            RECURRENCE,
            "without_memory",
            ">=",
            0.1,
            "without memory of more than one step the score is lower",
            "the best policy with one-step memory scores .68 on five arms and .63 on reversals",
        ),
        Prediction(
            RECURRENCE,
            "without_training",
            ">=",
            0.5,
            "without training the score is far lower",
            "an untrained network chooses nearly at random and scores 0",
        ),
        Prediction(
            RECURRENCE,
            "without_related_tasks",
            ">=",
            0.5,
            "without related tasks to train on the score is far lower",
            "an agent that learned one task plays the others by its habit, which scores about 0",
        ),
    )
    settings = (FIVE_ARMS, REVERSAL, RULES, INFORMATIVE)

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The agent trained, untrained and trained on one task, and one-step memory."""
        agent = preset.agent
        found: dict[str, RunConfig] = {}
        for setting in self.asked_on(preset):
            found |= {
                f"trained/{setting.name}": preset.run(agent, setting, seed),
                f"untrained/{setting.name}": preset.run(agent, setting, seed, part=0.0),
                f"one-task/{setting.name}": preset.run(
                    agent, setting, seed, preset.soon, n_tasks=1
                ),
                f"one-step/{setting.name}": preset.run("mlp_feedback", setting, seed),
            }
        return found

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Values:
        """Scores on fresh tasks of the whole distribution."""
        values: Values = {name: {} for name in self.quantities}
        for setting in self.asked_on(preset):
            of = {
                kind: score(agents[f"{kind}/{setting.name}"], setting, preset.episodes, seed)
                for kind in ("trained", "untrained", "one-task", "one-step")
            }
            simple = best_simple(setting, preset.episodes, seed)
            values["score"][setting.name] = of["trained"]
            values["above_simple"][setting.name] = of["trained"] - simple
            values["without_memory"][setting.name] = of["trained"] - of["one-step"]
            values["without_training"][setting.name] = of["trained"] - of["untrained"]
            values["without_related_tasks"][setting.name] = of["trained"] - of["one-task"]
        return values


def best_simple(setting: Setting, episodes: int, seed: int) -> float:
    """The score of the best of the simple rules that can play a setting."""
    found = []
    for name in SIMPLE:
        try:
            agent = make_named(name, setting.family)
        except InvalidTask:  # it cannot play here
            continue
        found.append(score(agent, setting, episodes, seed))
    return max(found)
