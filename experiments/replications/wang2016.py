"""Wang 2016: an LSTM on independent, dependent and informative bandits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import best_reference, make_named
from metalocus.envs import Setting
from metalocus.experiments.replications.base import Check, Part, Replication, Training
from metalocus.experiments.runs.named import INFORMATIVE
from metalocus.experiments.scoring.returns import expected_returns
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import TRAINING, Preset
from metalocus.experiments.studies.study import Measured

TRIALS = 100
PRIORS = ("uniform", "dependent", "easy", "medium", "hard")
"""Independent arms, then the paper's four kinds of dependent ones."""
INDEPENDENT = ("gittins", "thompson", "ucb1", "greedy")
"""Rules for independent arms; the last never explores on purpose, which is best on easy arms."""
BEST_RULE = "lstm - best rule"


def arms(prior: str, **more: object) -> Setting:
    """Two arms, 100 trials."""
    return Setting("metalocus/BernoulliBandit-v0", n_arms=2, horizon=TRIALS, prior=prior, **more)


@dataclass(frozen=True)
class Regrets(Part):
    """Expected regret on every kind of arms, of an LSTM trained on it and of the rules."""

    def training(self, seed: int) -> dict[str, Training]:
        """One LSTM a kind of arms, and one without the reward input."""
        blind = arms("uniform", observe=["action", "first"])
        own = {prior: Training(arms(prior), "lstm", 8_000_000) for prior in PRIORS}
        return {**own, "no reward": Training(blind, "lstm", 2_000_000)}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """``PLAYER, PRIOR``: regret, and the LSTM's minus that of each rule and of the best one."""
        found: dict[str, float] = {}
        for prior in PRIORS:
            setting = arms(prior)
            family, episodes = setting.family, preset.episodes
            best = expected_returns(make_named("oracle", family), setting, episodes, seed)
            rules = {name: make_named(name, family) for name in INDEPENDENT}
            players = {"lstm": agents[prior], "optimum": best_reference(family), **rules}
            regret = {
                name: float((best - expected_returns(player, setting, episodes, seed)).mean())
                for name, player in players.items()
            }
            found |= {f"{name}, {prior}": value for name, value in regret.items()}
            mine = regret["lstm"]
            found |= {f"lstm - {name}, {prior}": mine - regret[name] for name in rules}
            found[f"{BEST_RULE}, {prior}"] = mine - min(regret[name] for name in rules)
        blind = arms("uniform", observe=["action", "first"])
        found["score without reward"] = score(agents["no reward"], blind, preset.episodes, seed)
        return found


@dataclass(frozen=True)
class Informative(Part):
    """The bandit of eleven arms, one of which tells the target for a tenth of its number."""

    def training(self, seed: int) -> dict[str, Training]:
        """An LSTM, with more entropy and undiscounted returns: the arm that tells pays least."""
        return {"lstm": Training(INFORMATIVE, "lstm", 8_000_000, {}, TRAINING[INFORMATIVE.env])}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Return beside that of the exact optimum and of random choice, and the score."""
        episodes, family = preset.episodes, INFORMATIVE.family
        mean = {
            name: float(expected_returns(agent, INFORMATIVE, episodes, seed).mean())
            for name, agent in (
                ("lstm", agents["lstm"]),
                ("optimum", make_named("informative_optimal", family)),
                ("random", make_named("random", family)),
            )
        }
        gap = mean["optimum"] - mean["random"]
        return {**mean, "score": (mean["lstm"] - mean["random"]) / gap}


REPLICATION = Replication(
    "wang2016",
    "learning to reinforcement learn: independent, dependent and informative arms",
    "Wang et al. 2016, Learning to reinforcement learn, sections 3.1.1 to 3.1.3",
    "An LSTM of 48 units trained by A3C on two arms, independent or dependent, 100 trials, and on"
    " eleven arms of which one tells the target; regret beside Gittins, Thompson and UCB. Pictures"
    " alone.",
    "PPO and this package's LSTM; orderings in place of the pictures; choices counted by their"
    " expected reward.",
    (
        Regrets("wang-arms", "two arms, independent and dependent", 8.0),
        Informative("wang-informative", "eleven arms, one tells the target", 3.0),
    ),
    (
        Check("wang-arms", "lstm - thompson, uniform", "<=", 0.0, "below Thompson, as in figure 2"),
        Check("wang-arms", "lstm - ucb1, uniform", "<=", 0.0, "below UCB"),
        Check("wang-arms", "lstm - gittins, uniform", "near", 0.0, "near Gittins: a fifth", 0.35),
        *(
            Check(
                "wang-arms",
                f"{BEST_RULE}, {prior}",
                "<=",
                -0.1,
                "trained on dependent arms it beats every rule for independent ones; the optimum"
                " is .3 to .8 below the best of them",
            )
            for prior in ("dependent", "medium", "hard")
        ),
        Check(
            "wang-arms",
            f"{BEST_RULE}, easy",
            "<=",
            0.0,
            "the optimum itself is .02 below the best rule",
            0.1,
        ),
        Check(
            "wang-arms",
            "score without reward",
            "near",
            0.0,
            "chance without reward; always one arm has an error of .014",
            0.05,
        ),
        Check("wang-informative", "score", ">=", 0.9, "it pays for the information"),
    ),
)
