"""Do generic per-step weight updates of a memoryless policy reach the recurrent agent?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import make_named
from metalocus.experiments.claims.base import RECURRENCE, WEIGHTS, Claim, Prediction, Values
from metalocus.experiments.claims.presets import Preset
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.scoring.settings import BANDIT, REVERSAL, score

TASKS = (BANDIT, REVERSAL)
MARGIN = 0.05
RULES = ("policy_gradient", "delta_rule")


class ParityGeneric(Claim):
    """Score of online learners minus that of the frozen LSTM, on the same episodes.

    The rules update the weights of a memoryless policy after every transition and start
    each episode anew; their rates were tuned for each family on other tasks. Equivalence
    within ``MARGIN`` of the range from random choice to the best reference counts as parity.
    """

    name: ClassVar[str] = "parity_generic"
    statement: ClassVar[str] = (
        "Generic per-step RL updates of a memoryless policy's weights reach the recurrent agent."
    )
    quantities: ClassVar[Mapping[str, str]] = {
        "policy_gradient": "score of REINFORCE with a baseline, minus the LSTM's",
        "delta_rule": "score of a value table with a constant step, minus the LSTM's",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = tuple(
        prediction
        for rule in RULES
        for prediction in (
            Prediction(WEIGHTS, rule, ">=", -MARGIN, f"{rule} matches recurrence"),
            Prediction(RECURRENCE, rule, "<=", -MARGIN, f"{rule} falls short of it"),
        )
    )

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The LSTM on both tasks."""
        return {task.name: preset.run("lstm", task, seed) for task in TASKS}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Values:
        """Differences of scores."""
        values: Values = {rule: {} for rule in RULES}
        for task in TASKS:
            lstm = score(agents[task.name], task, preset.episodes, seed)
            for rule in RULES:
                online = score(make_named(rule, task.family), task, preset.episodes, seed)
                values[rule][task.name] = online - lstm
        return values
