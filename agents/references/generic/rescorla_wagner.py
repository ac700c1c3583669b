"""The Rescorla-Wagner rule: a fixed learning rate, whatever the world does."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy, Stores


class RescorlaWagner(ReferencePolicy):
    """Moves the value of the arm pulled towards its reward; chooses by softmax of the values.

    Values are in units of the family's reward range and begin at its middle, 1/2. The
    state is ``value`` [N, K].

    Class attributes:
        learning_rate: 0.3, with the temperature the best in sum of 20 pairs on five tasks
            (2 and 5 stable arms; reversal at p, h of .75, .02; .75, .05; .9, .05), 100 trials
            each, 2,000 episodes of seed 1000.
        inverse_temperature: 20, of the softmax.

    Source: Rescorla & Wagner 1972, "A theory of Pavlovian conditioning"; with softmax
    choice as in Daw 2011, "Trial-by-trial data analysis using computational models".
    """

    name: ClassVar[str] = "rescorla_wagner"
    summary: ClassVar[str] = "values by a fixed learning rate, softmax choice (Rescorla 1972)"
    learning_rate: ClassVar[float] = 0.3
    inverse_temperature: ClassVar[float] = 20.0

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Every arm in the middle of the range."""
        return Stores(state={"value": np.full((n, self.n_arms), 0.5)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """softmax(inverse temperature * value), [N, K]."""
        value = stores.state["value"]
        weight = np.exp(self.inverse_temperature * (value - value.max(axis=1, keepdims=True)))
        return weight / weight.sum(axis=1, keepdims=True), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """value += learning rate * (reward - value) for the arm pulled."""
        low, high = self.family.reward_range
        paid = (reward - low) / (high - low)
        value = stores.state["value"]
        error = (np.arange(self.n_arms) == action[:, None]) * (paid[:, None] - value)
        return replace(stores, state={"value": value + self.learning_rate * error})
