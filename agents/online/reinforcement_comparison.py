"""Reinforcement comparison: preferences that follow rewards above or below their mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Store, Stores, one_hot
from metalocus.agents.online.learner import OnlineLearner, RuleSettings, linear, per_row, softmax
from metalocus.agents.online.space import LEVEL, SHARE_OR_NONE, STEP, Range


@dataclass(frozen=True)
class ReinforcementComparisonSettings(RuleSettings):
    """Constants of the rule.

    Attributes:
        rate: step size of the preferences.
        decay: share of every preference that is lost at each trial; a policy that keeps
            exploring can detect a reversal.
        reference: initial value of the reference reward.
        reference_rate: its step size.
    """

    rate: float
    decay: float
    reference: float
    reference_rate: float


class ReinforcementComparison(OnlineLearner[ReinforcementComparisonSettings]):
    """Softmax of preferences; that of the action taken moves by reward - reference reward.

    The step is that of the policy gradient without its factor 1 - pi, so it does not vanish where
    the policy is nearly certain. Sutton 1984, "Temporal credit assignment in reinforcement
    learning", chapter 2; Sutton & Barto 1998, "Reinforcement learning", section 2.8. The decay is
    an addition.
    """

    name: ClassVar[str] = "reinforcement_comparison"
    summary: ClassVar[str] = (
        "online: preferences that follow reward minus mean reward (Sutton 1984)"
    )
    space: ClassVar[Mapping[str, Range]] = {
        "rate": STEP,
        "decay": SHARE_OR_NONE,
        "reference": LEVEL,
        "reference_rate": SHARE_OR_NONE,
    }
    untuned = ReinforcementComparisonSettings(
        rate=0.4,  # that of the policy gradient
        decay=0.0,
        reference=0.5,  # the middle of the range of rewards
        reference_rate=0.1,  # Sutton & Barto 1998, figure 2.5
    )
    tuned = {  # python -m metalocus.experiments.tuning --budget 1e6
        ("BernoulliBandit-v0", 2): ReinforcementComparisonSettings(
            rate=51.7, decay=0.0, reference=0.565, reference_rate=0.0279
        ),
        ("BernoulliBandit-v0", 5): ReinforcementComparisonSettings(
            rate=100.0, decay=0.00251, reference=0.671, reference_rate=0.0232
        ),
        ("BernoulliBandit-v0", 10): ReinforcementComparisonSettings(
            rate=52.6, decay=0.00978, reference=0.741, reference_rate=0.0155
        ),
        ("ReversalBandit-v0", 2): ReinforcementComparisonSettings(
            rate=92.7, decay=0.0312, reference=0.597, reference_rate=0.0256
        ),
        ("RuleSwitching-v0", 4): ReinforcementComparisonSettings(
            rate=51.2, decay=0.0, reference=0.773, reference_rate=0.0
        ),
        ("InformativeBandit-v0", 11): ReinforcementComparisonSettings(
            rate=100.0, decay=0.164, reference=0.572, reference_rate=0.0
        ),
    }

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Equal preferences and the initial reference reward."""
        reference = np.full(n, self.settings.reference)
        return Stores(weights={"policy": self.fresh_weights(n), "reference": reference})

    def policy(self, weights: Store, x: Array) -> Array:
        """Softmax of the linear layer, [N, K]."""
        return softmax(linear(x, weights["policy"]))

    def update(self, weights: Store, x: Array, action: Array, reward: Array) -> Store:
        """Decay, then one step of the action's preference and one of the reference reward."""
        settings, error = self.settings, reward - weights["reference"]
        taken = x[:, :, None] * one_hot(action, self.n_arms)[:, None]
        step = (settings.rate * error)[:, None, None] * taken
        return {
            "policy": (1.0 - per_row(settings.decay, step)) * weights["policy"] + step,
            "reference": weights["reference"] + settings.reference_rate * error,
        }
