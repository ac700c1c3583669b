"""Rescorla-Wagner learning that takes what was not pulled to have paid the contrary."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.references.generic.policies import RescorlaWagner


class Counterfactual(RescorlaWagner):
    """The arms that are not pulled learn from the contrary of the reward, at a rate of their own.

    Class attributes:
        counterfactual_rate: 0.15, half the rate for the arm pulled; not tuned.

    Source: Palminteri et al. 2017, "Confirmation bias in human reinforcement learning".
    """

    name: ClassVar[str] = "rescorla_wagner_counterfactual"
    summary: ClassVar[str] = "Rescorla-Wagner, arms not pulled learn the contrary (Palminteri 2017)"
    counterfactual_rate: ClassVar[float] = 0.15

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """The pulled arm's value moves to its reward, the others to 1 - reward."""
        value = stores.state["value"]
        pulled = np.arange(self.n_arms) == action[:, None]
        scaled = self.reward_fraction(reward)[:, None]
        contrary = self.counterfactual_rate * (1.0 - scaled - value)
        step = np.where(pulled, self.learning_rate * (scaled - value), contrary)
        return replace(stores, state={"value": value + step})
