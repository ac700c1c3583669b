"""Do rules that update the weights of a memoryless policy do as well as the recurrent agent?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import ONLINE
from metalocus.agents.online.learner import OnlineLearner
from metalocus.agents.rollout import TUNING_SEED
from metalocus.experiments.claims.base import (
    RECURRENCE,
    SHOWN,
    WEIGHTS,
    Claim,
    Prediction,
)
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import FIVE_ARMS, INFORMATIVE, REVERSAL, RULES, NamedSetting
from metalocus.experiments.scoring.returns import expected_returns
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured
from metalocus.experiments.tuning.search import LAST, tune

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRAINED_IT = "policy_gradient"
"""The rule that is closest to the one that trains the agent."""
GRADIENTS = ("natural_gradient", "mirror_descent", "reinforcement_comparison", "actor_critic")
"""Other policy gradients."""
VALUES = ("delta_rule", "delta_rule_average", "delta_rule_counterfactual", "pearce_hall")
"""Rules that learn values."""
COMPARED = (TRAINED_IT, *GRADIENTS, *VALUES)
PARTS = (0.0, 0.01, 0.1, 1.0)
"""Outer budgets, as parts of the steps that the agent is trained for."""
MOST_TUNING = 2_000_000
"""Steps after which tuning a handful of constants gains nothing more: a larger budget is not
spent."""
CHOOSING, CHOOSING_SEED = 2000, 5000
"""Episodes on which the best of several tuned rules is chosen, and what their seed is above those
of tuning, so that nothing else plays them."""
MARGIN = 0.02
"""Of non-inferiority. On five arms greedy on posterior means falls short of near-optimal play by
.10, Rescorla-Wagner by .06; a margin of .05 could not tell them apart."""


class ParityByRule(Claim):
    """Score of tuned rules minus that of the frozen LSTM, both given the same outer budget.

    The rules update a memoryless policy's weights after every transition and start anew in
    every episode. The budget, in steps of the environment, is spent on tuning the rule's constants
    (:mod:`~metalocus.experiments.tuning.search`) or on training the agent. Tuning seed and
    training seed vary together, so that intervals hold the variance of both.
    """

    number: ClassVar[int] = 3
    name: ClassVar[str] = "parity"
    statement: ClassVar[str] = (
        "An RL rule that updates the weights of a memoryless policy after every transition does as "
        "well as the frozen recurrent agent."
    )
    holds: ClassVar[Mapping[str, str]] = {
        RECURRENCE: "the learned algorithm differs from the one that trained it, and is better",
        WEIGHTS: "an RL algorithm could do the same in the weights; if one falls short that is its "
        "rule, and another will do",
    }
    quantities: ClassVar[Mapping[str, str]] = {
        "best": "score of the best tuned rule minus the agent's, at the whole budget",
        "best_early": "score of the best tuned rule minus the agent's, at a hundredth of the "
        "budget",
        "untuned": "score of the best rule with constants that are not tuned minus the agent's at "
        "the whole budget",
        "trained_it": "score of REINFORCE with a baseline minus the agent's, at the whole budget",
        "other_gradients": "score of the best of natural gradient, mirror descent, reinforcement "
        "comparison and actor-critic minus the agent's, at the whole budget",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            WEIGHTS,
            "best",
            ">=",
            -MARGIN,
            "some rule in the weights does as well as the agent",
            "greedy on posterior means and Rescorla-Wagner must fail on five arms",
        ),
        Prediction(
            RECURRENCE,
            "best",
            "<=",
            -MARGIN,
            "no rule in the weights does as well as the agent",
            "the same border",
        ),
        Prediction(
            WEIGHTS,
            "best_early",
            ">=",
            -MARGIN,
            "with little outer experience some rule does as well as a network trained as long",
            "the same border",
        ),
        Prediction(
            RECURRENCE,
            "trained_it",
            "<=",
            -MARGIN,
            "the algorithm that was learned is better than the one that trained it",
            "the same border",
        ),
        Prediction(
            WEIGHTS,
            "other_gradients",
            ">=",
            -MARGIN,
            "where plain REINFORCE falls short, another policy gradient does not",
            "the same border",
        ),
    )
    settings = (FIVE_ARMS, REVERSAL, RULES, INFORMATIVE)
    small: ClassVar[Mapping[str, Any]] = {"CHOOSING": 20}

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The agent with every budget."""
        return {
            f"{part}/{setting.name}": preset.run(preset.agent, setting, seed, part=part)
            for setting in self.asked_on(preset)
            for part in PARTS[1:]
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Differences of scores; scores of everything at every budget for the figure."""
        found: dict[str, Any] = {name: {} for name in self.quantities}
        found[SHOWN] = {}
        for setting in self.asked_on(preset):
            trained = {part: agents[f"{part}/{setting.name}"] for part in PARTS[1:]}
            scores = _Scores(setting, preset, seed, trained)
            for quantity, value in scores.quantities().items():
                found[quantity][setting.name] = value
            found[SHOWN][setting.title] = scores.by_budget()
        return found

    def drawn(self, shown: list[Any]) -> Figure:
        """Score by outer budget, of the agent and of every rule, a panel a task."""
        from metalocus.experiments.claims.drawing import lines_by_number

        return lines_by_number(shown, "outer budget (steps)", "score", references=("agent",))


class _Scores:
    """Scores of the agent and of the rules on one task, at every outer budget.

    Args:
        setting: the task.
        preset: how many episodes are played.
        seed: of these; the remainder by ``TUNING_SEED`` is that of tuning.
        trained: the agent by budget, as part of the whole.
    """

    def __init__(
        self, setting: NamedSetting, preset: Preset, seed: int, trained: Mapping[float, Agent]
    ) -> None:
        self.setting, self.episodes, self.seed = setting, preset.episodes, seed
        self.tuning_seed = seed % TUNING_SEED
        self.steps = {part: preset.steps(setting, part) for part in PARTS}
        self.agent = {part: self._score(agent) for part, agent in trained.items()}
        self.rules = {part: self._tuned(budget) for part, budget in self.steps.items()}

    def quantities(self) -> dict[str, float]:
        """Of the claim, by name."""
        return {
            "best": self._best(1.0, COMPARED) - self.agent[1.0],
            "best_early": self._best(PARTS[1], COMPARED) - self.agent[PARTS[1]],
            "untuned": self._best(0.0, COMPARED) - self.agent[1.0],
            "trained_it": self._best(1.0, (TRAINED_IT,)) - self.agent[1.0],
            "other_gradients": self._best(1.0, GRADIENTS) - self.agent[1.0],
        }

    def by_budget(self) -> dict[str, dict[str, float]]:
        """Scores by agent and by the number of steps spent."""
        found = {"agent": {str(self.steps[part]): own for part, own in self.agent.items()}}
        for name in self.rules[1.0]:
            found[name] = {str(self.steps[part]): self._best(part, (name,)) for part in PARTS}
        return found

    def _best(self, part: float, among: tuple[str, ...]) -> float:
        """Score of the best of some rules, chosen on episodes that nothing else plays."""
        able = [self.rules[part][name] for name in among if name in self.rules[part]]
        if len(able) == 1:
            return self._score(able[0])
        apart = TUNING_SEED + CHOOSING_SEED + self.tuning_seed
        earned = [expected_returns(rule, self.setting, CHOOSING, apart).mean() for rule in able]
        return self._score(able[int(np.argmax(earned))])

    def _tuned(self, budget: int) -> dict[str, OnlineLearner[Any]]:
        """Every rule that can play, tuned with a budget, or the least that a search takes."""
        family = self.setting.family
        spent = max(min(budget, MOST_TUNING), LAST**2 * family.horizon) if budget else 0
        found = {}
        for name in COMPARED:
            rule = ONLINE[name]
            assert issubclass(rule, OnlineLearner)
            if rule.why_not(family) is None:
                constants = tune(name, self.setting, spent, self.tuning_seed).settings
                found[name] = rule(family, constants)
        return found

    def _score(self, agent: Agent) -> float:
        return score(agent, self.setting, self.episodes, self.seed)
