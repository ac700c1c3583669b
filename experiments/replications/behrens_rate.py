"""Behrens 2007: the learning rate follows volatility."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import make_named
from metalocus.experiments.claims.inner_rate import (
    AGENT,
    EXACT_FILTER,
    FIXED,
    FIXED_FILTER,
    PROBED,
    VOLATILE,
    flipped,
)
from metalocus.experiments.replications.base import Check, Part, Replication, Training
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured


@dataclass(frozen=True)
class Rate(Part):
    """The influence of one reward in calm and volatile stretches, at equal belief."""

    def training(self) -> dict[str, Training]:
        """An LSTM."""
        return {"lstm": Training(VOLATILE, "lstm", 16_000_000)}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """The dependence on volatility as a part of the exact filter's, and scores."""
        agent = agents["lstm"]
        flips = flipped(agent, VOLATILE, min(PROBED, preset.episodes), seed)
        found = {
            name: flips.part(flips.log_odds, player, flips.matched(player, EXACT_FILTER))
            for name, player in (("dependence", AGENT), ("dependence, fixed rate", FIXED_FILTER))
        }
        fixed = make_named(FIXED, VOLATILE.family)
        for name, each in (("score", agent), ("score, fixed rate", fixed)):
            found[name] = score(each, VOLATILE, preset.episodes, seed)
        return found


REPLICATION = Replication(
    "behrens_rate",
    "a learning rate that follows volatility, by flipped rewards",
    "Behrens et al. 2007, Learning the value of information in an uncertain world; Wang et al."
    " 2018, Prefrontal cortex as a meta-reinforcement learning system, simulation 3",
    "People, and an LSTM, learn faster in volatile blocks; learning rates are fitted to choices."
    " The hazard of a switch was about 1/30. Pictures alone.",
    "The influence of one flipped reward at equal belief, in units of the exact filter's; a fitted"
    " rate would call any rule with a changing belief adaptive. Levels 0 and .2.",
    (Rate("behrens", "hidden volatility, 400 trials", 12.0),),
    (
        Check("behrens", "dependence", ">=", 0.25, "rules of a fixed rate are within .1 of 0"),
        Check("behrens", "dependence, fixed rate", "near", 0.0, "the control has none", 0.1),
        Check("behrens", "score", ">=", 0.955, "above the best fixed rate, .935, by .02"),
    ),
)
