"""Does an agent learn within the episode, or does it respond to what it is shown?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from metalocus.agents.agent import Agent
from metalocus.experiments.claims.base import RECURRENCE, WEIGHTS, Claim, Prediction, Values
from metalocus.experiments.runs.arguments import env_defaults
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import (
    CUED,
    INFORMATIVE,
    REVERSAL,
    RULES,
    NamedSetting,
)
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset


class Responsiveness(Claim):
    """A recurrent against a memoryless agent, with a cue to the hidden variable shown and hidden.

    The two settings differ in the cue alone. Where it is shown, good choices need no learning
    within the episode. The memoryless agent sees no feedback.
    """

    number: ClassVar[int] = 7
    most_seeds: ClassVar[int | None] = 5
    name: ClassVar[str] = "responsiveness"
    statement: ClassVar[str] = (
        "Where a cue shows what is hidden, memory is worth nothing and a memoryless policy responds"
        " as well; where it is hidden, memory is worth nearly all."
    )
    holds: ClassVar[Mapping[str, str]] = {
        RECURRENCE: "responding to a visible cue is not learning, and learning needs what is "
        "carried",
        WEIGHTS: "policies respond to what they observe, and fast change of behaviour alone is no "
        "sign of learning",
    }
    quantities: ClassVar[Mapping[str, str]] = {
        "cue_shown": "score of the agent minus that of the memoryless policy, cue shown",
        "cue_hidden": "score of the agent minus that of the memoryless policy, cue hidden",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            RECURRENCE,
            "cue_shown",
            "within",
            0.02,
            "with the cue shown, memory does not change the score",
            "the margin of equivalence in all claims: it tells apart greedy and near-optimal play",
        ),
        Prediction(
            RECURRENCE,
            "cue_hidden",
            ">=",
            0.9,
            "with the cue hidden, nearly all of the score needs memory",
            "a policy without feedback scores 0 by chance, and the agent near 1",
        ),
        Prediction(
            WEIGHTS,
            "cue_shown",
            "within",
            0.02,
            "with the cue shown, behaviour changes as fast without anything that learns",
            "the margin of equivalence in all claims",
        ),
    )
    settings = (REVERSAL, RULES, INFORMATIVE)

    def why_not(self, preset: Preset) -> str | None:
        """Also a setting without a cue that can be shown or hidden."""
        if preset.setting is not None and "cued" not in env_defaults(preset.setting):
            env = preset.setting.env
            return f"the cue cannot be shown and hidden in {env}: no argument 'cued'"
        return super().why_not(preset)

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The agent and the memoryless policy, cue shown and hidden."""
        found: dict[str, RunConfig] = {}
        for shown, hidden in map(shown_and_hidden, self.asked_on(preset)):
            found |= {
                f"agent/{shown.name}": preset.run(preset.agent, shown, seed),
                f"agent/{hidden.name}": preset.run(preset.agent, hidden, seed),
                f"memoryless/{shown.name}": preset.run("mlp", shown, seed),
                f"memoryless/{hidden.name}": preset.run("mlp", hidden, seed, preset.soon),
            }
        return found

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Values:
        """Differences of scores."""
        values: Values = {name: {} for name in self.quantities}
        for asked in self.asked_on(preset):
            pair = shown_and_hidden(asked)
            for quantity, setting in zip(("cue_shown", "cue_hidden"), pair, strict=True):
                mine, other = (
                    score(agents[f"{kind}/{setting.name}"], setting, preset.episodes, seed)
                    for kind in ("agent", "memoryless")
                )
                values[quantity][asked.name] = mine - other
        return values


def shown_and_hidden(setting: NamedSetting) -> tuple[NamedSetting, NamedSetting]:
    """A setting with the cue shown and with it hidden."""
    hidden = setting if not setting.kwargs.get("cued") else _cued(setting, False)
    return (CUED if hidden == REVERSAL else _cued(setting, True)), hidden


def _cued(setting: NamedSetting, cued: bool) -> NamedSetting:
    """A setting with the cue shown or hidden."""
    how = "shown" if cued else "hidden"
    kwargs = {**setting.kwargs, "cued": cued}
    return NamedSetting(
        f"{setting.name}_{how}", f"{setting.title}, cue {how}", setting.env, **kwargs
    )
