"""Do heads that match and copy cause in-context learning, and appear when it does?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from metalocus.agents.agent import Agent
from metalocus.experiments.claims.base import RECURRENCE, SHOWN, Claim, Prediction
from metalocus.experiments.probes.induction import Induction
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import BINDING, FIVE_ARMS, NamedSetting
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AGENT = "transformer"
PARTS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Lengths of training, as parts of the whole, at which both are measured."""
WHOLE = 0.5
"""Part of the usual steps that is a transformer's whole training."""
PROBED = 1000
"""Episodes of the induction probe."""


class InductionHeads(Claim):
    """Prefix matching, and what is lost without the head that matches most, over training.

    The head is chosen on histories other than those it is judged on. Its output is replaced by
    that of another episode; the control is a random change of the same size. The onset is the
    first length of training at which half of the final value is reached.
    """

    number: ClassVar[int] = 13
    name: ClassVar[str] = "induction"
    statement: ClassVar[str] = (
        "In a transformer, heads that match the present with the past cause in-context learning, "
        "and appear when it does."
    )
    holds: ClassVar[Mapping[str, str]] = {
        RECURRENCE: "the learned algorithm is a mechanism in the activations that can be named; "
        "Olsson et al. 2022 named this one"
    }
    quantities: ClassVar[Mapping[str, str]] = {
        "matching": "prefix matching of the best head minus that of evenly spread attention",
        "causes": "choice value lost without that head's output minus that lost by a random change "
        "of equal size",
        "together": "log2 of the steps at which matching is half of its final value, minus that of "
        "the score",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            RECURRENCE,
            "matching",
            ">=",
            0.2,
            "a head attends to what followed the same cue before",
            "a hand-built head gains .64; an untrained one nothing",
        ),
        Prediction(
            RECURRENCE,
            "causes",
            ">=",
            0.1,
            "without that head much of what is learned in the episode is lost",
            "a tenth of the way from chance to the best action",
        ),
        Prediction(
            RECURRENCE,
            "together",
            "within",
            1.5,
            "heads and learning appear together in training",
            "lengths of training are a factor of 2 to 2.5 apart",
        ),
    )
    settings = (BINDING, FIVE_ARMS)
    small: ClassVar[Mapping[str, Any]] = {
        "PARTS": (0.0, 1.0),
        "probes.induction.HISTORIES": 10,
        "probes.induction.DONORS": 10,
    }

    def why_not(self, preset: Preset) -> str | None:
        """Also another agent: only a transformer has heads."""
        if preset.agent not in (AGENT, Preset.agent):
            return f"{preset.agent} has no heads; this claim is about a {AGENT}"
        return super().why_not(preset)

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """A transformer after every length of training."""
        kwargs = preset.agent_kwargs if preset.agent == AGENT else {}
        return {
            f"{part}/{setting.name}": preset.run(
                AGENT, setting, seed, WHOLE * part, agent_kwargs=kwargs
            )
            for setting in self.asked_on(preset)
            for part in PARTS
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Matching and loss of the final network, and the onsets of matching and score."""
        found: dict[str, Any] = {name: {} for name in self.quantities}
        found[SHOWN] = {}
        for setting in self.asked_on(preset):
            stages = [agents[f"{part}/{setting.name}"] for part in PARTS]
            probed = [_probed(agent, setting, preset.episodes, seed) for agent in stages]
            matching = [matched_above_even(each) for each in probed]
            scores = [score(agent, setting, preset.episodes, seed) for agent in stages]
            head = probed[-1]["best_head"]
            loss, random = (probed[-1][name][head] for name in ("loss_repeated", "loss_random"))
            found["matching"][setting.name] = matching[-1]
            found["causes"][setting.name] = loss - random
            found["together"][setting.name] = _apart(matching, scores)
            found[SHOWN][setting.title] = {
                "prefix matching above even": dict(zip(map(str, PARTS), matching, strict=True)),
                "score": dict(zip(map(str, PARTS), scores, strict=True)),
            }
        return found

    def drawn(self, shown: list[Any]) -> Figure:
        """Matching and score by length of training, a panel a task."""
        from metalocus.experiments.claims.drawing import lines_by_number

        return lines_by_number(shown, "part of the training", "matching, score", linear=True)


def _probed(agent: Agent, setting: NamedSetting, episodes: int, seed: int) -> dict[str, Any]:
    return dict(Induction().run(agent, setting, min(PROBED, episodes), seed))


def matched_above_even(probed: Mapping[str, Any]) -> float:
    """Prefix matching of the best head, less that of attention spread evenly."""
    scores = probed["prefix_matching"]
    return float(scores[probed["best_head"]] - scores["even attention"])


def _apart(matching: list[float], scores: list[float]) -> float | None:
    """log2 of the onset of one over that of the other; None if either never rises."""
    onsets = [_onset(each) for each in (matching, scores)]
    if None in onsets:
        return None
    first, second = (PARTS[i] for i in onsets if i is not None)
    return float(np.log2(first / second))


def _onset(values: list[float]) -> int | None:
    """The first length of training, not the start, at half of the final value; None without a rise.

    A final value is a rise if it is .1 or more above that before training.
    """
    rise = values[-1] - values[0]
    if rise < 0.1:
        return None
    halfway = values[0] + rise / 2
    return next(i for i, value in enumerate(values) if i and value >= halfway)
