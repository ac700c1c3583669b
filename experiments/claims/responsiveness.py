"""Does an agent learn within the episode, or does it respond to what it is shown?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from metalocus.agents.agent import Agent
from metalocus.experiments.claims.base import RECURRENCE, WEIGHTS, Claim, Prediction, Values
from metalocus.experiments.probes.locus import Locus
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import CUED, REVERSAL
from metalocus.experiments.scoring.settings import score
from metalocus.experiments.studies.presets import Preset


class Responsiveness(Claim):
    """A recurrent against a memoryless agent, with a cue to the better arm shown and hidden.

    The two settings differ in the cue alone. Where it is shown, good choices need no learning
    within the episode, and the locus probe must find that the memoryless agent holds nothing.
    """

    name: ClassVar[str] = "responsiveness"
    statement: ClassVar[str] = (
        "Responding to a visible cue is not learning: a memoryless policy does as well with "
        "the cue visible, and cannot with the cue hidden."
    )
    quantities: ClassVar[Mapping[str, str]] = {
        "cue_shown": "score of the agent minus that of the memoryless policy, cue shown",
        "cue_hidden": "score of the agent minus that of the memoryless policy, cue hidden",
        "held": "knowledge v(all) - v(none) of the memoryless policy at the last trial, cue shown",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            RECURRENCE,
            "cue_shown",
            "<=",
            0.05,
            "with the cue shown, memory does not raise the score",
        ),
        Prediction(
            RECURRENCE,
            "cue_hidden",
            ">=",
            0.5,
            "with the cue hidden, the score is far lower without memory",
        ),
        Prediction(
            RECURRENCE,
            "held",
            "<=",
            0.01,
            "the memoryless policy holds nothing",
            by_construction=True,
        ),
        Prediction(
            WEIGHTS, "cue_shown", "<=", 0.05, "with the cue shown, switching fast needs no learning"
        ),
    )

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """LSTM and memoryless policy, cue shown and hidden."""
        return {
            "lstm/shown": preset.run("lstm", CUED, seed, part=0.5),
            "mlp/shown": preset.run("mlp", CUED, seed),
            "lstm/hidden": preset.run("lstm", REVERSAL, seed),
            "mlp/hidden": preset.run("mlp", REVERSAL, seed),
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Values:
        """Differences of scores, and what is held."""
        values: Values = {}
        for shown, setting in (("shown", CUED), ("hidden", REVERSAL)):
            of = {
                agent: score(agents[f"{agent}/{shown}"], setting, preset.episodes, seed)
                for agent in ("lstm", "mlp")
            }
            values[f"cue_{shown}"] = {setting.name: of["lstm"] - of["mlp"]}
        last = [CUED.family.horizon - 1]
        found = Locus(last).run(agents["mlp/shown"], CUED, preset.episodes, seed)
        values["held"] = {CUED.name: found["total"][0]}
        return values
