"""Kuo 2025: a predictive loss makes the state a belief, and buys information."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metalocus.agents.agent import Agent
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs.families.informative_bandit import N_TARGETS
from metalocus.experiments.probes.simulate import BAYES
from metalocus.experiments.replications.base import (
    Check,
    Part,
    Replication,
    Training,
    difference,
)
from metalocus.experiments.replications.mikulik2020 import (
    BACK,
    THERE,
    dissimilarities,
)
from metalocus.experiments.runs.named import BANDIT, INFORMATIVE
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

PREDICTING = {"prediction_coef": 1.0}
PROBED = 1000
BOUGHT = "buys at once"
STATE = f"state, {BACK}"
SHOWN = (
    STATE,
    f"state, {BAYES} to untrained",
    f"state, {BAYES} to wsls",
    f"output, {THERE}",
    f"output, {BACK}",
)
"""Of all that is compared: what a state holds beyond the belief, and who chooses as Bayes does."""


@dataclass(frozen=True)
class Predictive(Part):
    """With and without the predictive loss: the return, and the state beside the belief's."""

    def training(self, seed: int) -> dict[str, Training]:
        """Two LSTMs on each of two tasks, at the same settings but for the loss."""
        return {
            f"{kind}, {setting.name}": Training(setting, "lstm", 8_000_000, {}, given)
            for setting in (BANDIT, INFORMATIVE)
            for kind, given in (("plain", {}), ("predictive", PREDICTING))
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Scores on both tasks, states beside Bayes', and who buys the information at once.

        What counts is what the state holds beyond the belief (Bayes to the agent); the other way
        tells nothing, as an untrained network's state holds all of the belief too.
        """
        found: dict[str, float | None] = {}
        for name, agent in agents.items():
            setting = BANDIT if name.endswith(BANDIT.name) else INFORMATIVE
            episodes = min(PROBED, preset.episodes)
            found[f"score, {name}"] = score(agent, setting, preset.episodes, seed)
            apart = dissimilarities(agent, setting, episodes, seed)
            found |= {f"{what}, {name}": value for what, value in apart.items() if what in SHOWN}
            found[f"{STATE}, {name}_se"] = apart[f"{STATE}_se"]
            if setting is INFORMATIVE:
                first = rollout(agent, fresh_episodes(setting, episodes, seed)).probs[0]
                found[f"{BOUGHT}, {name}"] = float(first[:, N_TARGETS].mean())
        plain, predictive = (
            found[f"{STATE}, {kind}, {BANDIT.name}"] for kind in ("plain", "predictive")
        )
        return {**found, "nearer": difference(plain, predictive)}


REPLICATION = Replication(
    "kuo2025",
    "a predictive loss makes recurrent states into beliefs",
    "Kuo et al. 2025, arXiv 2510.22039",
    "RL² with and without a predictive module; plain RL² can match the return without the minimal"
    " belief state, and fails where information must be bought. Pictures alone.",
    "PPO with `prediction_coef`; states are compared by simulation (the probe of that name), beside"
    " those of an untrained network and of win-stay lose-shift. The informative bandit is learned"
    " at the default entropy and discount, where the plain loss was known to give the telling arm"
    " up (score .31).",
    (Predictive("kuo", "two-armed and informative bandit", 10.0),),
    (
        Check("kuo", "score, plain, bandit", ">=", 0.95, "the return comes without the loss"),
        Check("kuo", "score, predictive, bandit", ">=", 0.95, "and with it"),
        Check("kuo", "nearer", ">=", 0.05, "the state is nearer to Bayes' with it"),
        Check("kuo", "score, plain, informative", ">=", 0.2, "it learns, without buying"),
        Check("kuo", f"{BOUGHT}, plain, informative", "<=", 0.1, "the telling arm is given up"),
        Check("kuo", "score, predictive, informative", ">=", 0.9, "with it, information is"),
        Check("kuo", f"{BOUGHT}, predictive, informative", ">=", 0.9, "by the telling arm"),
    ),
)
