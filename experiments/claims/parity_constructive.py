"""Is the recurrent update, written into the weights, the same agent in another store?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Agent
from metalocus.agents.rollout import Trial, fresh_episodes, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.agents.trained.rewritten import RewrittenAgent
from metalocus.experiments.claims.base import RECURRENCE, WEIGHTS, Claim, Prediction, Values
from metalocus.experiments.claims.locus_of_learning import last_shares
from metalocus.experiments.claims.presets import Preset
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.scoring.settings import BANDIT, REVERSAL, NamedSetting, score

TASKS = (BANDIT, REVERSAL)
SAME = 1e-6
"""Probabilities and scores this close are equal in single precision."""


class ParityConstructive(Claim):
    """The LSTM beside the :class:`RewrittenAgent` made of it, on the same histories.

    That the two behave alike, from other stores, is a theorem rather than a finding: the
    measurement shows that the construction leaves nothing out. What a generic update in the
    same store, the weights, is worth beside the rule that training found is measured by
    :class:`~metalocus.experiments.claims.parity_generic.ParityGeneric`.
    """

    name: ClassVar[str] = "parity_constructive"
    statement: ClassVar[str] = (
        "The recurrent update written into the weights gives the same behaviour exactly, and the "
        "locus is then the weights: what differs is the rule, not the store."
    )
    quantities: ClassVar[Mapping[str, str]] = {
        "difference": "greatest difference of an action's probability, rewritten against trained",
        "score": "score of the rewritten agent minus the LSTM's",
        "rewritten_weights": "share of the rewritten agent's knowledge in its weights",
        "lstm_weights": "share of the LSTM's knowledge in per-episode weights",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = tuple(
        Prediction(side, quantity, relation, bound, says, by_construction=True)
        for side, quantity, relation, bound, says in (
            (WEIGHTS, "difference", "<=", SAME, "an update of weights does the same"),
            (WEIGHTS, "score", ">=", -SAME, "and earns as much"),
            (WEIGHTS, "rewritten_weights", ">=", 0.99, "then the weights hold it all"),
            (RECURRENCE, "difference", "<=", SAME, "granted: any store can be written to"),
            (
                RECURRENCE,
                "lstm_weights",
                "<=",
                0.01,
                "but the weights of what was trained hold none",
            ),
        )
    )

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The LSTM on both tasks."""
        return {task.name: preset.run("lstm", task, seed) for task in TASKS}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Values:
        """Behaviour, score and locus of both forms."""
        values: Values = {name: {} for name in self.quantities}
        for task in TASKS:
            lstm = agents[task.name]
            assert isinstance(lstm, TrainedAgent)
            rewritten = RewrittenAgent(lstm.policy, lstm.layout)
            found = score(rewritten, task, preset.episodes, seed)
            measured = {
                "difference": greatest_difference(lstm, rewritten, task, preset.episodes, seed),
                "score": found - score(lstm, task, preset.episodes, seed),
                "rewritten_weights": last_shares(rewritten, task, preset, seed)["weights"],
                "lstm_weights": last_shares(lstm, task, preset, seed)["weights"],
            }
            for name, value in measured.items():
                values[name][task.name] = value
        return values


def greatest_difference(
    agent: Agent, shadow: RewrittenAgent, task: NamedSetting, episodes: int, seed: int
) -> float:
    """Between the probabilities that two agents give any action on the first one's histories."""
    found = [0.0]

    def observe(trial: Trial) -> None:
        found.append(float(np.abs(trial.shadows[0][0] - trial.probs).max()))

    fresh = fresh_episodes(task, episodes, seed)
    rollout(agent, fresh, seed, shadows=[shadow], observe=observe)
    return max(found)
