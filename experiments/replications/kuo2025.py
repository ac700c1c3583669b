"""Kuo 2025: a predictive loss makes the state a belief, and buys information."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metalocus.agents.agent import Agent
from metalocus.experiments.probes.simulate import AGENT, BAYES, Simulate
from metalocus.experiments.replications.base import (
    Check,
    Part,
    Replication,
    Training,
    difference,
)
from metalocus.experiments.runs.named import BANDIT, INFORMATIVE
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

PREDICTING = {"prediction_coef": 1.0}
PROBED = 1000


@dataclass(frozen=True)
class Predictive(Part):
    """With and without the predictive loss: the return, and the state beside the belief's."""

    def training(self) -> dict[str, Training]:
        """Two LSTMs on each of two tasks, at the same settings but for the loss."""
        return {
            f"{kind}, {setting.name}": Training(setting, "lstm", 8_000_000, {}, given)
            for setting in (BANDIT, INFORMATIVE)
            for kind, given in (("plain", {}), ("predictive", PREDICTING))
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Scores on both tasks; on the bandit the dissimilarity of states, Bayes to the agent.

        That is what the state holds beyond the belief. The other way tells nothing: an untrained
        network's state holds all of the belief too.
        """
        found: dict[str, float | None] = {}
        for kind in ("plain", "predictive"):
            for setting in (BANDIT, INFORMATIVE):
                name = f"{kind}, {setting.name}"
                found[f"score, {name}"] = score(agents[name], setting, preset.episodes, seed)
            agent, episodes = agents[f"{kind}, bandit"], min(PROBED, preset.episodes)
            state = Simulate().run(agent, BANDIT, episodes, seed)["state"]
            found[f"state, {kind}"] = state[f"{BAYES} to {AGENT}"]
        for name, one, other in (
            ("gain, informative", "score, predictive, informative", "score, plain, informative"),
            ("nearer", "state, plain", "state, predictive"),
        ):
            found[name] = difference(found[one], found[other])
        return found


REPLICATION = Replication(
    "kuo2025",
    "a predictive loss makes recurrent states into beliefs",
    "Kuo et al. 2025, arXiv 2510.22039",
    "RL² with and without a predictive module; plain RL² can match the return without the minimal"
    " belief state, and fails where information must be bought. Pictures alone.",
    "PPO with `prediction_coef`; states are compared by simulation (the probe of that name), the"
    " informative bandit at the default entropy and discount, where the plain loss gives the"
    " telling arm up.",
    (Predictive("kuo", "two-armed and informative bandit", 10.0),),
    (
        Check("kuo", "score, plain, bandit", ">=", 0.95, "the return comes without the loss"),
        Check("kuo", "score, predictive, bandit", ">=", 0.95, "and with it"),
        Check("kuo", "nearer", ">=", 0.0, "the state is nearer to Bayes' with it"),
        Check("kuo", "gain, informative", ">=", 0.2, "information is bought with it"),
    ),
)
