"""Mikulik 2020: trained recurrent agents are Bayes-optimal in behaviour and structure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metalocus.agents.agent import Agent
from metalocus.experiments.probes.optimality import Optimality
from metalocus.experiments.probes.simulate import AGENT, BAYES, Simulate
from metalocus.experiments.replications.base import (
    Check,
    Part,
    Replication,
    Training,
    difference,
)
from metalocus.experiments.runs.named import BANDIT
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

PROBED = 1000
"""Episodes of the structural comparison, which maps every state."""
UNTRAINED = f"untrained - trained, state, {BAYES} to it"
WSLS = f"wsls - trained, output, it to {BAYES}"


@dataclass(frozen=True)
class Structure(Part):
    """Behaviour, and how well each agent's states can be put in place of the other's."""

    def training(self) -> dict[str, Training]:
        """An LSTM."""
        return {"lstm": Training(BANDIT, "lstm", 8_000_000)}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Score, agreement with the best actions, dissimilarity both ways, and two differences.

        Untrained, the network's state holds all of Bayes' too; what training changes is how much
        else it holds (state, Bayes to the agent) and what it makes of it (output).
        """
        agent, episodes = agents["lstm"], preset.episodes
        found: dict[str, float | None] = {"score": score(agent, BANDIT, episodes, seed)}
        optimal = Optimality().run(agent, BANDIT, min(PROBED, episodes), seed)
        found["agreement"] = optimal["agreed"]
        result = Simulate().run(agent, BANDIT, min(PROBED, episodes), seed)
        state, output = result["state"], result["output"]
        for kind, values in (("state", state), ("output", output)):
            found |= {f"{kind}, {way}": value for way, value in values.items()}
        there, back = f"{AGENT} to {BAYES}", f"{BAYES} to {AGENT}"
        found[UNTRAINED] = difference(state[f"{BAYES} to untrained"], state[back])
        found[WSLS] = difference(output[f"wsls to {BAYES}"], output[there])
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
        Check("mikulik", UNTRAINED, ">=", 0.0, "training drops what Bayes does not know"),
        Check("mikulik", WSLS, ">=", 0.0, "nearer to the optimum than a heuristic"),
    ),
)
