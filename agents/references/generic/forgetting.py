"""Rescorla-Wagner learning that forgets the arms that are not pulled."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.references.generic.policies import RescorlaWagner


class Forgetting(RescorlaWagner):
    """Values of the arms that are not pulled go back to the middle, from where they began.

    Class attributes:
        forgetting_rate: 0.1; not tuned.

    Source: Ito & Doya 2009, "Validation of decision-making models and analysis of decision
    variables in the rat basal ganglia".
    """

    name: ClassVar[str] = "rescorla_wagner_forgetting"
    summary: ClassVar[str] = "Rescorla-Wagner that forgets arms not pulled (Ito & Doya 2009)"
    forgetting_rate: ClassVar[float] = 0.1

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """The pulled arm's value moves to its reward, the others to 1/2."""
        value = stores.state["value"]
        pulled = np.arange(self.n_arms) == action[:, None]
        scaled = self.reward_fraction(reward)[:, None]
        forgotten = self.forgetting_rate * (0.5 - value)
        step = np.where(pulled, self.learning_rate * (scaled - value), forgotten)
        return replace(stores, state={"value": value + step})
