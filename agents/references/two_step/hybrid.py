"""Daw's learners of the two-step task: model-free, model-based, and a mixture of both."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy, Stores
from metalocus.envs import Family
from metalocus.envs.families.two_step import FIRST, TwoStep

NO_ACTION = -1
"""Stands for the last first action before there is one."""


class Hybrid(ReferencePolicy):
    """A weighted mean of SARSA(λ) values and planned values, with softmax choice.

    The states' values V(s, c) are learned from reward. A first action's value is the mean of
    what SARSA(λ) has learned for it, weight 1 - w, and of Σ_s P(s | a) max_c V(s, c), weight
    w, with the true transitions P. The state is ``first`` [N, 2] and ``second`` [N, 2, C],
    the learned values, and ``chosen`` [N], the last first action, -1 before there is one.

    Class attributes: medians of the subjects that Daw et al. 2011 fitted (table 1), so people's
    and not tuned to earn: ``planned`` w, ``learning_rates`` α and ``inverse_temperatures`` β
    of the two stages, ``eligibility`` λ, ``perseveration``, which is added to the value of
    the first action chosen last.

    Source: Daw et al. 2011, "Model-based influences on humans' choices and striatal
    prediction errors", supplemental equations.
    """

    name: ClassVar[str] = "hybrid"
    summary: ClassVar[str] = "two-step: part planned, part SARSA(λ), people's medians (Daw 2011)"
    planned: ClassVar[float] = 0.39
    learning_rates: ClassVar[tuple[float, float]] = (0.54, 0.42)
    inverse_temperatures: ClassVar[tuple[float, float]] = (5.19, 3.69)
    eligibility: ClassVar[float] = 0.57
    perseveration: ClassVar[float] = 0.11

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, TwoStep)  # why_not has refused all others
        self.second_choices = family.second_choices
        self.transitions = family.transitions

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the two-step task can be played."""
        return None if isinstance(family, TwoStep) else "its two stages are those of TwoStep"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """All values 0, and no last action."""
        first, second = np.zeros((n, 2)), np.zeros((n, 2, self.second_choices))
        chosen = np.full(n, NO_ACTION)
        return Stores(state={"first": first, "second": second, "chosen": chosen})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Softmax of the values at the stage shown, [N, 2]."""
        state, place = stores.state, stimulus.argmax(axis=1)
        planned = state["second"].max(axis=2) @ self.transitions.T
        again = np.arange(2) == state["chosen"][:, None]
        first = self.planned * planned + (1.0 - self.planned) * state["first"]
        second = state["second"][np.arange(len(place)), np.maximum(place, 1) - 1]
        one, two = self.inverse_temperatures
        at_first = one * (first + self.perseveration * again)
        logits = np.where(place[:, None] == FIRST, at_first, two * second)
        weight = np.exp(logits - logits.max(axis=1, keepdims=True))
        return weight / weight.sum(axis=1, keepdims=True), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Remember a first action; after a second one learn from both prediction errors."""
        place = stimulus.argmax(axis=1)
        at_first = place == FIRST
        first, second, chosen = (stores.state[key] for key in ("first", "second", "chosen"))
        rows, reached = np.arange(len(place)), np.maximum(place, 1) - 1
        choice = action % self.second_choices
        value = second[rows, reached, choice]
        one, two = self.learning_rates
        error = np.where(at_first, 0.0, reward - value)
        second = second.copy()
        second[rows, reached, choice] += two * error
        taken = (np.arange(2) == chosen[:, None]) & ~at_first[:, None]
        step = (value + self.eligibility * error)[:, None] - first
        after = {"first": first + one * taken * step, "second": second}
        return replace(stores, state={**after, "chosen": np.where(at_first, action, chosen)})


class ModelFree(Hybrid):
    """SARSA(λ) alone: repeats first actions that led to reward, by common or rare transitions."""

    name: ClassVar[str] = "model_free"
    summary: ClassVar[str] = "two-step: SARSA(λ) alone (Daw 2011 with w = 0)"
    planned: ClassVar[float] = 0.0


class Sarsa(ModelFree):
    """SARSA without eligibility: a first action earns the value of the state it led to."""

    name: ClassVar[str] = "sarsa"
    summary: ClassVar[str] = "two-step: SARSA(0), as model_free without eligibility"
    eligibility: ClassVar[float] = 0.0


class ModelBased(Hybrid):
    """Plans with the true transitions over learned values of the states."""

    name: ClassVar[str] = "model_based"
    summary: ClassVar[str] = "two-step: plans over learned values of the states (Daw 2011, w = 1)"
    planned: ClassVar[float] = 1.0
