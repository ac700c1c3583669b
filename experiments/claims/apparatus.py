"""Do the instruments say what is known of agents by the way they are built?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import STORES, Agent
from metalocus.agents.catalogue import make_named
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.rollout import Trial, fresh_episodes, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.agents.trained.rewritten import RewrittenAgent
from metalocus.envs import Setting
from metalocus.experiments.claims.base import RECURRENCE, WEIGHTS, Claim, Prediction, Values
from metalocus.experiments.claims.locus import last_shares
from metalocus.experiments.probes.locus import HEADLINE
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import BANDIT, REVERSAL
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset

SAME = 1e-6
"""Probabilities and scores that differ by no more are equal in single precision."""
HAND_WIRED = {
    "state": "counts_in_state",
    "weights": "counts_in_weights",
    "context": "counts_in_context",
}
"""Controls whose knowledge is in one store, by store."""


class Apparatus(Claim):
    """The trained update written into weights, and hand-wired agents whose store is known.

    :class:`~metalocus.agents.trained.rewritten.RewrittenAgent` behaves as the trained agent does
    by construction, from another store. Hand-wired agents hold their knowledge in one store.
    """

    number: ClassVar[None] = None
    name: ClassVar[str] = "apparatus"
    statement: ClassVar[str] = (
        "The recurrent update written into the weights gives the same behaviour exactly, and the "
        "locus is then the weights; hand-wired agents are located where they were built."
    )
    holds: ClassVar[Mapping[str, str]] = {
        RECURRENCE: "any store can hold what the state holds",
        WEIGHTS: "the same update can be carried out in the weights",
    }
    quantities: ClassVar[Mapping[str, str]] = {
        "difference": "greatest difference of an action's probability, rewritten against trained",
        "score": "score of the rewritten agent minus that of the trained one",
        "rewritten_weights": "share of the weights in what the rewritten agent holds",
        **{
            f"hand_wired_{store}": f"share of the {store} in what an agent holds that was built to "
            f"hold it there"
            for store in STORES
        },
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            WEIGHTS,
            "difference",
            "<=",
            SAME,
            "an update of weights gives the same choices",
            "single precision",
            by_construction=True,
        ),
        Prediction(
            WEIGHTS,
            "score",
            "within",
            SAME,
            "an update of weights earns as much",
            "single precision",
            by_construction=True,
        ),
        Prediction(
            WEIGHTS,
            "rewritten_weights",
            ">=",
            0.99,
            "after the rewriting the weights hold all that is learned",
            "the rewritten agent reads nothing else but the last action and reward",
            by_construction=True,
        ),
        *(
            Prediction(
                RECURRENCE,
                f"hand_wired_{store}",
                ">=",
                0.95,
                f"what is built into the {store} is found there",
                "the rest is the chance of a donor with the same knowledge",
                by_construction=True,
            )
            for store in STORES
        ),
    )
    settings = (BANDIT, REVERSAL)
    players = tuple(HAND_WIRED.values())

    def why_not(self, preset: Preset) -> str | None:
        """Also an agent that reads its past again, and so has no recurrent update."""
        if "context" in TRAINABLES.find(preset.agent).cell.carried.values():
            return f"{preset.agent} is not recurrent: it carries its context"
        return super().why_not(preset)

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The agent on every task."""
        return {
            setting.name: preset.run(preset.agent, setting, seed)
            for setting in self.asked_on(preset)
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Values:
        """Behaviour and score of both forms, and the shares of hand-wired agents."""
        values: Values = {name: {} for name in self.quantities}
        kind = (HEADLINE.split()[0],)
        for setting in self.asked_on(preset):
            lstm = agents[setting.name]
            assert isinstance(lstm, TrainedAgent)
            rewritten = RewrittenAgent(lstm.policy, lstm.layout)
            found = score(rewritten, setting, preset.episodes, seed)
            of_trained = score(lstm, setting, preset.episodes, seed)
            difference = greatest_difference(lstm, rewritten, setting, preset.episodes, seed)
            values["difference"][setting.name] = difference
            values["score"][setting.name] = found - of_trained
            shares = last_shares(rewritten, setting, preset.episodes, seed, kind)
            values["rewritten_weights"][setting.name] = shares[HEADLINE]["weights"]
            for store, name in HAND_WIRED.items():
                control = make_named(name, setting.family)
                shares = last_shares(control, setting, preset.episodes, seed, kind)
                values[f"hand_wired_{store}"][setting.name] = shares[HEADLINE][store]
        return values


def greatest_difference(
    agent: Agent, shadow: RewrittenAgent, setting: Setting, episodes: int, seed: int
) -> float:
    """Between the probabilities that two agents give any action on the first one's histories."""
    found = [0.0]

    def observe(trial: Trial) -> None:
        found.append(float(np.abs(trial.shadows[0][0] - trial.probs).max()))

    fresh = fresh_episodes(setting, episodes, seed)
    rollout(agent, fresh, seed, shadows=[shadow], observe=observe)
    return max(found)
