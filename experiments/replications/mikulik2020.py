"""Mikulik 2020: trained recurrent agents are Bayes-optimal in behaviour and structure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metalocus.agents.agent import Agent
from metalocus.envs import Setting
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
THERE, BACK = f"{AGENT} to {BAYES}", f"{BAYES} to {AGENT}"
UNTRAINED = f"untrained - trained, state, {BACK}"


@dataclass(frozen=True)
class Structure(Part):
    """Behaviour, and how well each agent's states can be put in place of the other's."""

    def training(self, seed: int) -> dict[str, Training]:
        """An LSTM."""
        return {"lstm": Training(BANDIT, "lstm", 8_000_000)}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Score, agreement with the best actions, dissimilarity both ways, with what is beside it.

        Untrained, the network's state holds all of Bayes' too; what training changes is how much
        else it holds (state, Bayes to the agent) and what it makes of it (output).
        """
        agent, episodes = agents["lstm"], preset.episodes
        optimal = Optimality().run(agent, BANDIT, min(PROBED, episodes), seed)
        found: dict[str, float | None] = {
            "score": score(agent, BANDIT, episodes, seed),
            "agreement": optimal["agreed"],
            **dissimilarities(agent, BANDIT, min(PROBED, episodes), seed),
        }
        untrained, own = (found.get(f"state, {way}") for way in (f"{BAYES} to untrained", BACK))
        return {**found, UNTRAINED: difference(untrained, own)}


def dissimilarities(agent: Agent, setting: Setting, episodes: int, seed: int) -> Measured:
    """``state, WAY`` and ``output, WAY`` with their standard errors, of :class:`Simulate`."""
    result = Simulate().run(agent, setting, episodes, seed)
    found: dict[str, float | None] = {}
    for kind in ("state", "output"):
        found |= {f"{kind}, {way}": value for way, value in result[kind].items()}
        found |= {f"{kind}, {way}_se": value for way, value in result[f"{kind}_se"].items()}
    return found


REPLICATION = Replication(
    "mikulik2020",
    "agents that were meta-trained are Bayes-optimal in behaviour and in structure",
    "Mikulik et al. 2020, Meta-trained agents implement Bayes-optimal agents",
    "LSTMs trained on bandits and prediction; dissimilarity of outputs, and of states mapped by a"
    " regression and simulated on, both ways. Pictures alone.",
    "PPO; distances are given beside those of the same network untrained, of win-stay lose-shift"
    " and of a copy of the Bayes-optimal agent in another basis. An untrained network holds all of"
    " Bayes' state too, so that way is shown and not judged. Distances of this task were known from"
    " agents of the claims when the borders were set.",
    (Structure("mikulik", "two-armed bandit, 50 pulls", 4.0),),
    (
        Check("mikulik", "score", ">=", 0.97, "behaves as the optimum does"),
        Check("mikulik", f"output, {THERE}", "<=", 0.2, "Bayes chooses as it, from its states"),
        Check("mikulik", f"output, {BACK}", "<=", 0.2, "and it chooses as Bayes, from Bayes'"),
        *(
            Check("mikulik", f"output, {way}", ">=", least, "the control does not")
            for name, least in (("untrained", 0.5), ("wsls", 0.25))
            for way in (f"{name} to {BAYES}", f"{BAYES} to {name}")
        ),
        Check("mikulik", UNTRAINED, ">=", 0.05, "training drops what Bayes does not know"),
    ),
)
