"""Does the recurrent update behave the same when it is written into the weights?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Agent
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.rollout import Trial, fresh_episodes, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.agents.trained.rewritten import RewrittenAgent
from metalocus.experiments.claims.base import RECURRENCE, WEIGHTS, Claim, Prediction, Values
from metalocus.experiments.claims.locus_of_learning import last_shares
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import NamedSetting
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset

SAME = 1e-6
"""Probabilities and scores that differ by no more are equal in single precision."""


class ParityConstructive(Claim):
    """The LSTM beside the :class:`RewrittenAgent` made of it, on the same histories.

    The two behave alike by construction, from different stores. The measurement checks that
    the construction is complete. How well a generic update of the weights does is measured by
    :class:`~metalocus.experiments.claims.parity_generic.ParityGeneric`.
    """

    name: ClassVar[str] = "parity_constructive"
    statement: ClassVar[str] = (
        "The recurrent update written into the weights gives the same behaviour exactly, and the "
        "locus is then the weights: what differs is the rule, not the store."
    )
    quantities: ClassVar[Mapping[str, str]] = {
        "difference": "greatest difference of an action's probability, rewritten against trained",
        "score": "score of the rewritten agent minus that of the trained one",
        "rewritten_weights": "share of the rewritten agent's knowledge in its weights",
        "lstm_weights": "share of the trained agent's knowledge in per-episode weights",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = tuple(
        Prediction(side, quantity, relation, bound, says, by_construction=True)
        for side, quantity, relation, bound, says in (
            (WEIGHTS, "difference", "<=", SAME, "an update of weights gives the same choices"),
            (WEIGHTS, "score", ">=", -SAME, "an update of weights earns as much"),
            (
                WEIGHTS,
                "rewritten_weights",
                ">=",
                0.99,
                "after the rewriting the weights hold all that is learned",
            ),
            (RECURRENCE, "difference", "<=", SAME, "any store can hold what the state holds"),
            (
                RECURRENCE,
                "lstm_weights",
                "<=",
                0.01,
                "the weights of the network as it was trained hold nothing",
            ),
        )
    )

    def why_not(self, preset: Preset) -> str | None:
        """Also an agent that reads its past again, and so has no recurrent update."""
        if "context" in TRAINABLES.find(preset.agent).cell.carried.values():
            return f"{preset.agent} is not recurrent: it carries its context"
        return super().why_not(preset)

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The agent on every setting."""
        return {each.name: preset.run(preset.agent, each, seed) for each in preset.settings}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Values:
        """Behaviour, score and locus of both forms."""
        values: Values = {name: {} for name in self.quantities}
        for setting in preset.settings:
            lstm = agents[setting.name]
            assert isinstance(lstm, TrainedAgent)
            rewritten = RewrittenAgent(lstm.policy, lstm.layout)
            found = score(rewritten, setting, preset.episodes, seed)
            measured = {
                "difference": greatest_difference(lstm, rewritten, setting, preset.episodes, seed),
                "score": found - score(lstm, setting, preset.episodes, seed),
                "rewritten_weights": last_shares(rewritten, setting, preset, seed)["weights"],
                "lstm_weights": last_shares(lstm, setting, preset, seed)["weights"],
            }
            for name, value in measured.items():
                values[name][setting.name] = value
        return values


def greatest_difference(
    agent: Agent, shadow: RewrittenAgent, setting: NamedSetting, episodes: int, seed: int
) -> float:
    """Between the probabilities that two agents give any action on the first one's histories."""
    found = [0.0]

    def observe(trial: Trial) -> None:
        found.append(float(np.abs(trial.shadows[0][0] - trial.probs).max()))

    fresh = fresh_episodes(setting, episodes, seed)
    rollout(agent, fresh, seed, shadows=[shadow], observe=observe)
    return max(found)
