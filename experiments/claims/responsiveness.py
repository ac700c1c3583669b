"""Is fast within-episode adaptation learning, or only responding to what is shown?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from metalocus.agents.agent import Agent
from metalocus.experiments.claims.base import RECURRENCE, WEIGHTS, Claim, Prediction, Values
from metalocus.experiments.claims.presets import Preset
from metalocus.experiments.probes.locus import Locus
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.scoring.settings import CUED, REVERSAL, score


class Responsiveness(Claim):
    """Memoryless against recurrent, with the good arm's side shown and hidden.

    The two tasks differ in nothing but the cue. Where it is shown, good choices need no
    learning within the episode, and the locus probe must find nothing held.
    """

    name: ClassVar[str] = "responsiveness"
    statement: ClassVar[str] = (
        "Responding to a visible cue is not learning: a memoryless policy does as well with "
        "the cue visible, and cannot with the cue hidden."
    )
    quantities: ClassVar[Mapping[str, str]] = {
        "cue_shown": "score of the LSTM minus that of the memoryless policy, cue shown",
        "cue_hidden": "the same, cue hidden",
        "held": "what the memoryless policy holds at the last trial, v(all) - v(none), cue shown",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(RECURRENCE, "cue_shown", "<=", 0.05, "with the cue, memory is of no use"),
        Prediction(RECURRENCE, "cue_hidden", ">=", 0.5, "without it, memory is all"),
        Prediction(
            RECURRENCE,
            "held",
            "<=",
            0.01,
            "and the responsive policy holds nothing",
            by_construction=True,
        ),
        Prediction(WEIGHTS, "cue_shown", "<=", 0.05, "switching fast needs no learning"),
        Prediction(
            WEIGHTS,
            "cue_hidden",
            "<=",
            0.05,
            "what looks like learning is responding",
        ),
    )

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """LSTM and memoryless policy on the cued and the hidden task."""
        return {
            "lstm/shown": preset.run("lstm", CUED, seed, part=0.5),
            "mlp/shown": preset.run("mlp", CUED, seed),
            "lstm/hidden": preset.run("lstm", REVERSAL, seed),
            "mlp/hidden": preset.run("mlp", REVERSAL, seed),
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Values:
        """Differences of scores, and what is held."""
        values: Values = {}
        for shown, task in (("shown", CUED), ("hidden", REVERSAL)):
            of = {
                agent: score(agents[f"{agent}/{shown}"], task, preset.episodes, seed)
                for agent in ("lstm", "mlp")
            }
            values[f"cue_{shown}"] = {task.name: of["lstm"] - of["mlp"]}
        last = [CUED.family.horizon - 1]
        found = Locus(last).run(agents["mlp/shown"], CUED, preset.episodes, seed)
        values["held"] = {CUED.name: found["total"][0]}
        return values
