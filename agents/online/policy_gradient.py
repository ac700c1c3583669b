"""REINFORCE after every transition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Store, Stores, one_hot
from metalocus.agents.online.learner import OnlineLearner, RuleSettings, linear, per_row, softmax
from metalocus.agents.online.space import LEVEL, SHARE_OR_NONE, STEP, Range


@dataclass(frozen=True)
class PolicyGradientSettings(RuleSettings):
    """Constants of the rule.

    Attributes:
        rate: step size of the policy.
        baseline: initial value of the baseline.
        baseline_rate: step size of the baseline.
        bound: greatest absolute value of a policy weight, to which every step is clipped. A
            policy that keeps exploring can detect a reversal.
    """

    rate: float
    baseline: float
    baseline_rate: float
    bound: float


class PolicyGradient(OnlineLearner[PolicyGradientSettings]):
    """A softmax policy that ascends (reward - baseline) * grad log pi.

    The baseline is a running average of the rewards. Williams 1992, "Simple statistical
    gradient-following algorithms for connectionist reinforcement learning", equation 4.
    """

    name: ClassVar[str] = "policy_gradient"
    summary: ClassVar[str] = "online: REINFORCE with a baseline after every transition"
    space: ClassVar[Mapping[str, Range]] = {
        "rate": STEP,
        "baseline": LEVEL,
        "baseline_rate": SHARE_OR_NONE,
        "bound": Range(0.5, 8.0, log=True, half=np.inf),
    }
    untuned = PolicyGradientSettings(
        rate=0.4,  # the faster of the two of Sutton & Barto 2018, figure 2.5: episodes are short
        baseline=0.5,  # the middle of the range of rewards
        baseline_rate=0.1,  # about the mean of the last ten rewards
        bound=np.inf,
    )
    tuned = {  # best of 400 tried on each task
        ("BernoulliBandit-v0", 2): PolicyGradientSettings(
            rate=2.68, baseline=0.67, baseline_rate=0.0521, bound=np.inf
        ),
        ("BernoulliBandit-v0", 5): PolicyGradientSettings(
            rate=2.2, baseline=0.782, baseline_rate=0.0568, bound=np.inf
        ),
        ("BernoulliBandit-v0", 10): PolicyGradientSettings(
            rate=7.59, baseline=0.906, baseline_rate=0.00814, bound=4.86
        ),
        ("ReversalBandit-v0", 2): PolicyGradientSettings(
            rate=6.55, baseline=0.604, baseline_rate=0.0152, bound=1.49
        ),
    }

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """A uniform policy and the initial baseline."""
        baseline, policy = np.full(n, self.settings.baseline), self.fresh_weights(n)
        return Stores(weights={"policy": policy, "baseline": baseline, **self.moments(policy)})

    def policy(self, weights: Store, x: Array) -> Array:
        """Softmax of the linear layer, [N, K]."""
        return softmax(linear(x, weights["policy"]))

    def update(self, weights: Store, x: Array, action: Array, reward: Array) -> Store:
        """One gradient step of the policy and one of the baseline."""
        policy, baseline = weights["policy"], weights["baseline"]
        error = reward - baseline
        gradient = error[:, None, None] * log_gradient(x, policy, action)
        step, moments = self.ascend(weights, gradient)
        bound = per_row(self.settings.bound, policy)
        return {
            "policy": np.clip(policy + step, -bound, bound),
            "baseline": baseline + self.settings.baseline_rate * error,
            **moments,
        }

    def moments(self, like: Array) -> Store:
        """Initial state of the optimizer beside the policy's weights; none for SGD."""
        return {}

    def ascend(self, weights: Store, gradient: Array) -> tuple[Array, Store]:
        """The policy's step [N, F, K] along its gradient, and the optimizer's new state."""
        return per_row(self.settings.rate, gradient) * gradient, {}


def log_gradient(x: Array, policy: Array, action: Array) -> Array:
    """Gradient of log pi(action | x) with respect to the policy's weights, [N, F, K].

    Args:
        x: features [N, F].
        policy: weights [N, F, K].
        action: [N].
    """
    probs = softmax(linear(x, policy))
    gradient: Array = x[:, :, None] * (one_hot(action, probs.shape[1]) - probs)[:, None]
    return gradient
