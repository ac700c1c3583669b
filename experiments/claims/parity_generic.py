"""Do generic updates of a memoryless policy's weights do as well as the recurrent agent?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import make_named
from metalocus.experiments.claims.base import RECURRENCE, WEIGHTS, Claim, Prediction, Values
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset

MARGIN = 0.05
"""On the scale from 0, random choice, to 1, the best reference."""
RULES = {
    "policy_gradient": "REINFORCE with a baseline, updating a memoryless policy's weights,",
    "delta_rule": "a value table in the weights, updated by a constant step,",
}
"""The online rules, each in words."""


class ParityGeneric(Claim):
    """Score of online learners minus that of the frozen LSTM, on the same episodes.

    The rules update the weights of a memoryless policy after every transition and reset them
    before each episode. Their rates were tuned for each family on other tasks. Scores that
    differ by less than ``MARGIN`` count as equal.
    """

    name: ClassVar[str] = "parity_generic"
    players: ClassVar[tuple[str, ...]] = tuple(RULES)
    statement: ClassVar[str] = (
        "Generic per-step RL updates of a memoryless policy's weights reach the recurrent agent."
    )
    quantities: ClassVar[Mapping[str, str]] = {
        "policy_gradient": "score of REINFORCE with a baseline, minus the agent's",
        "delta_rule": "score of a value table with a constant step, minus the agent's",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = tuple(
        prediction
        for rule, words in RULES.items()
        for prediction in (
            Prediction(WEIGHTS, rule, ">=", -MARGIN, f"{words} does as well as the agent"),
            Prediction(RECURRENCE, rule, "<=", -MARGIN, f"{words} does worse than the agent"),
        )
    )

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The agent on every setting."""
        return {each.name: preset.run(preset.agent, each, seed) for each in preset.settings}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Values:
        """Differences of scores."""
        values: Values = {rule: {} for rule in RULES}
        for setting in preset.settings:
            agent = score(agents[setting.name], setting, preset.episodes, seed)
            for rule in RULES:
                online = score(make_named(rule, setting.family), setting, preset.episodes, seed)
                values[rule][setting.name] = online - agent
        return values
