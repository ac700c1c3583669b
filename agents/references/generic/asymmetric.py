"""Rescorla-Wagner learning with another rate for losses."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.references.generic.policies import RescorlaWagner


class Asymmetric(RescorlaWagner):
    """Learns less from rewards below an arm's value than from rewards above it.

    Class attributes:
        loss_rate: 0.1, a third of the rate for gains; not tuned.

    Source: Niv et al. 2012, "Neural prediction errors reveal a risk-sensitive
    reinforcement-learning process in the human brain".
    """

    name: ClassVar[str] = "rescorla_wagner_asymmetric"
    summary: ClassVar[str] = "Rescorla-Wagner, slower for losses than for gains (Niv 2012)"
    loss_rate: ClassVar[float] = 0.1

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Value += rate of the error's sign * error, for the arm pulled."""
        value = stores.state["value"]
        pulled = np.arange(self.n_arms) == action[:, None]
        scaled = self.reward_fraction(reward)[:, None]
        error = pulled * (scaled - value)
        step = np.where(error > 0.0, self.learning_rate, self.loss_rate) * error
        return replace(stores, state={"value": value + step})
