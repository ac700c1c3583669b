"""Does an agent learn within the episode, or does it respond to what it is shown?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from metalocus.agents.agent import Agent
from metalocus.experiments.claims.base import RECURRENCE, WEIGHTS, Claim, Prediction, Values
from metalocus.experiments.probes.locus import HEADLINE, Locus
from metalocus.experiments.runs.arguments import env_defaults
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import CUED, REVERSAL, NamedSetting
from metalocus.experiments.scoring.score import score
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

    def why_not(self, preset: Preset) -> str | None:
        """Also settings none of which has a cue that can be shown or hidden."""
        if not shown_and_hidden(preset):
            envs = ", ".join(setting.env for setting in preset.settings)
            return f"the cue cannot be shown and hidden in {envs}: no argument 'cued'"
        return super().why_not(preset)

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The agent and the memoryless policy, cue shown and hidden."""
        found = {}
        for shown, hidden in shown_and_hidden(preset):
            found[f"agent/{shown.name}"] = preset.run(preset.agent, shown, seed, part=0.5)
            found[f"mlp/{shown.name}"] = preset.run("mlp", shown, seed)
            found[f"agent/{hidden.name}"] = preset.run(preset.agent, hidden, seed)
            found[f"mlp/{hidden.name}"] = preset.run("mlp", hidden, seed)
        return found

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Values:
        """Differences of scores, and what is held."""
        values: Values = {name: {} for name in self.quantities}
        for shown, hidden in shown_and_hidden(preset):
            for quantity, setting in (("cue_shown", shown), ("cue_hidden", hidden)):
                mine, other = (
                    score(agents[f"{name}/{setting.name}"], setting, preset.episodes, seed)
                    for name in ("agent", "mlp")
                )
                values[quantity][setting.name] = mine - other
            last, memoryless = [shown.family.horizon - 1], agents[f"mlp/{shown.name}"]
            found = Locus(last, [HEADLINE.split()[0]]).run(memoryless, shown, preset.episodes, seed)
            values["held"][shown.name] = found["total"][HEADLINE][0]
        return values


def shown_and_hidden(preset: Preset) -> list[tuple[NamedSetting, NamedSetting]]:
    """The settings of a preset that have a cue, with the cue shown and with it hidden."""
    pairs = []
    for setting in preset.settings:
        if "cued" in env_defaults(setting):
            hidden = setting if not setting.kwargs.get("cued") else _cued(setting, False)
            shown = CUED if hidden == REVERSAL else _cued(setting, True)
            pairs.append((shown, hidden))
    return pairs


def _cued(setting: NamedSetting, cued: bool) -> NamedSetting:
    """A setting with the cue shown or hidden."""
    how = "shown" if cued else "hidden"
    kwargs = {**setting.kwargs, "cued": cued}
    return NamedSetting(
        f"{setting.name}_{how}", f"{setting.title}, cue {how}", setting.env, **kwargs
    )
