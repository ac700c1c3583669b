"""Controls that read a whole dataset in one forward pass, with and without a leak."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores, one_hot
from metalocus.agents.controls.counting import Control
from metalocus.envs import Family
from metalocus.envs.families.dataset_bandit import DatasetBandit

SHARPNESS = 0.05
"""Of the choice: low, so that no probability of some twenty examples comes near 0."""


class OneGradientStep(Control):
    """Fits a linear model to the examples it is shown by one step of gradient descent from zero.

    It carries nothing: without examples it chooses at random. Its log-probabilities are the
    model's predictions up to a factor.

    Source: von Oswald et al. 2023, "Transformers learn in-context by gradient descent", section 2.
    """

    name: ClassVar[str] = "one_gradient_step"
    summary: ClassVar[str] = "control: one gradient step on the examples in view; carries nothing"
    known_shares = {}

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, DatasetBandit)  # why_not has refused all others
        self.dataset = family

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only datasets that are shown at once can be read in one forward pass."""
        if isinstance(family, DatasetBandit) and not family.sequence:
            return None
        return "it reads a dataset in one observation, which only DatasetBandit shows"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Empty stores: nothing is carried."""
        return Stores()

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Softmax of the predictions for the query, [N, K]."""
        inputs, outcomes, given = self.dataset.read(stimulus)
        if self.dataset.rule == "arms":
            slope = inputs.transpose(0, 2, 1) @ ((outcomes - 0.5) * given[:, :, None])
            predicted = slope[:, :, 0]
        else:
            errors = (outcomes - 1.0 / self.n_arms) * given[:, :, None]
            slope = inputs.transpose(0, 2, 1) @ errors
            predicted = (self.dataset.query(stimulus)[:, None] @ slope)[:, 0]
        odds = np.exp(SHARPNESS * (predicted - predicted.max(axis=1, keepdims=True)))
        probs: Array = odds / odds.sum(axis=1, keepdims=True)
        return probs, stores


class Echo(OneGradientStep):
    """The same, and where no examples are shown it repeats its last choice if that was rewarded.

    So when it is asked again it seems to remember the examples, which it does not carry.
    """

    name: ClassVar[str] = "echo"
    summary: ClassVar[str] = "control: asked again it repeats what paid; carries no example"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No choice yet: action -1, reward 0."""
        return Stores(context={"action": np.full(n, -1), "reward": np.zeros(n)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """As :class:`OneGradientStep` with examples; else the last choice, or any other."""
        probs, _ = super().act(stimulus, stores)
        action = stores.context["action"]
        again = one_hot(np.maximum(action, 0), self.n_arms)
        paid = stores.context["reward"][:, None] > 0.5
        echoed = np.where(paid, again, (1.0 - again) / (self.n_arms - 1))
        alone = ~self.dataset.read(stimulus)[2].any(axis=1) & (action >= 0)
        return np.where(alone[:, None], echoed, probs), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Keep the choice and its reward."""
        return Stores(context={"action": action.copy(), "reward": self.reward_fraction(reward)})
