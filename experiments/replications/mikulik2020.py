"""Mikulik 2020: trained recurrent agents are Bayes-optimal in behaviour and structure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metalocus.agents.agent import Agent
from metalocus.experiments.probes.optimality import Optimality
from metalocus.experiments.probes.simulate import AGENT, BAYES, Simulate
from metalocus.experiments.replications.base import Check, Part, Replication, Training
from metalocus.experiments.runs.named import BANDIT
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

PROBED = 1000
"""Episodes of the structural comparison, which maps every state."""


@dataclass(frozen=True)
class Structure(Part):
    """Behaviour, and how well each agent's states can be put in place of the other's."""

    def training(self) -> dict[str, Training]:
        """An LSTM."""
        return {"lstm": Training(BANDIT, "lstm", 8_000_000)}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Score, agreement with the best actions, dissimilarity of states both ways."""
        agent, episodes = agents["lstm"], preset.episodes
        found: dict[str, float | None] = {"score": score(agent, BANDIT, episodes, seed)}
        optimal = Optimality().run(agent, BANDIT, min(PROBED, episodes), seed)
        found |= {
            f"optimality: {r.quantity}": r.value
            for r in Optimality().rows(optimal)
            if r.trial is None and r.value is not None and not r.label
        }
        result = Simulate().run(agent, BANDIT, min(PROBED, episodes), seed)
        for kind in ("state", "output"):
            for way, value in result.get(kind, {}).items():
                found[f"{kind}, {way}"] = value
        for one, other in ((AGENT, BAYES), (BAYES, AGENT)):
            plain = f"untrained to {other}" if one == AGENT else f"{one} to untrained"
            own, beside = f"{one} to {other}", result["state"].get(plain)
            mine = result["state"].get(own)
            known = mine is not None and beside is not None
            found[f"untrained - trained, {own}"] = beside - mine if known else None
        return found


REPLICATION = Replication(
    "mikulik2020",
    "agents that were meta-trained are Bayes-optimal in behaviour and in structure",
    "Mikulik et al. 2020, Meta-trained agents implement Bayes-optimal agents",
    "LSTMs trained on bandits and prediction; dissimilarity of outputs, and of states mapped by a"
    " regression and simulated on, both ways. Pictures alone.",
    "PPO; distances are given beside those of the same network untrained, of win-stay lose-shift"
    " and of a copy of the Bayes-optimal agent in another basis.",
    (Structure("mikulik", "two-armed bandit, 50 pulls", 4.0),),
    (
        Check("mikulik", "score", ">=", 0.97, "behaves as the optimum does"),
        Check("mikulik", f"state, {AGENT} to {BAYES}", "<=", 0.3, "most of Bayes' state is there"),
        Check("mikulik", f"state, {BAYES} to {AGENT}", "<=", 0.5, "most of its own is Bayes'"),
        Check(
            "mikulik",
            f"untrained - trained, {AGENT} to {BAYES}",
            ">=",
            0.0,
            "training brings it nearer",
        ),
    ),
)
