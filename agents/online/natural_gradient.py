"""The natural policy gradient after every transition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Store, Stores, one_hot
from metalocus.agents.online.learner import OnlineLearner, RuleSettings, linear, per_row, softmax
from metalocus.agents.online.space import LEVEL, SHARE_OR_NONE, STEP, Range

FLOOR = 0.05
"""Least probability that a step is divided by. Without it one reward of an action that is hardly
ever taken decides all later choices."""


@dataclass(frozen=True)
class NaturalGradientSettings(RuleSettings):
    """Constants of the rule.

    Attributes:
        rate: step size at the first trial.
        annealing: the step size is rate / (1 + annealing * t) at trial t from 0 on.
        decay: share of every weight that is lost at each trial; a policy that keeps exploring
            can detect a reversal.
        baseline: initial value of the baseline.
        baseline_rate: step size of the baseline.
    """

    rate: float
    annealing: float
    decay: float
    baseline: float
    baseline_rate: float


class NaturalGradient(OnlineLearner[NaturalGradientSettings]):
    """A softmax policy that ascends (reward - baseline) * F^-1 grad log pi.

    F is the Fisher information of the policy at the features x of the trial, and F^-1 its
    pseudo-inverse. The step of the weights of action k is then

        x / |x|^2 * (1[k = action] - 1/K) / max(pi(action | x), FLOOR)

    so that it does not vanish where the policy is nearly certain, as the plain gradient does.
    Kakade 2001, "A natural policy gradient", equation 3, with one trial's F.
    """

    name: ClassVar[str] = "natural_gradient"
    summary: ClassVar[str] = "online: natural policy gradient after every transition"
    space: ClassVar[Mapping[str, Range]] = {
        "rate": STEP,
        "annealing": SHARE_OR_NONE,
        "decay": SHARE_OR_NONE,
        "baseline": LEVEL,
        "baseline_rate": SHARE_OR_NONE,
    }
    untuned = NaturalGradientSettings(
        rate=0.2,  # the first step between two actions is then that of the policy gradient
        annealing=0.0,
        decay=0.0,
        baseline=0.5,  # the middle of the range of rewards
        baseline_rate=0.1,  # about the mean of the last ten rewards
    )
    tuned = {  # python -m metalocus.experiments.tuning --budget 1e6
        ("BernoulliBandit-v0", 2): NaturalGradientSettings(
            rate=69.5, annealing=0.0171, decay=0.0, baseline=0.615, baseline_rate=0.0374
        ),
        ("BernoulliBandit-v0", 5): NaturalGradientSettings(
            rate=15.2, annealing=0.0, decay=0.0, baseline=0.865, baseline_rate=0.0453
        ),
        ("BernoulliBandit-v0", 10): NaturalGradientSettings(
            rate=50.3, annealing=0.00738, decay=0.0, baseline=0.932, baseline_rate=0.0109
        ),
        ("ReversalBandit-v0", 2): NaturalGradientSettings(
            rate=59.3, annealing=0.0, decay=0.0557, baseline=0.655, baseline_rate=0.0
        ),
        ("RuleSwitching-v0", 4): NaturalGradientSettings(
            rate=89.8, annealing=0.0, decay=0.00123, baseline=0.66, baseline_rate=0.0
        ),
        ("InformativeBandit-v0", 11): NaturalGradientSettings(
            rate=53.9, annealing=0.0, decay=0.0, baseline=0.786, baseline_rate=0.0
        ),
    }

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """A uniform policy, the initial baseline, and no trials yet."""
        baseline = np.full(n, self.settings.baseline)
        weights = {"policy": self.fresh_weights(n), "baseline": baseline, "trials": np.zeros(n)}
        return Stores(weights=weights)

    def policy(self, weights: Store, x: Array) -> Array:
        """Softmax of the linear layer, [N, K]."""
        return softmax(linear(x, weights["policy"]))

    def update(self, weights: Store, x: Array, action: Array, reward: Array) -> Store:
        """Decay, one natural gradient step of the policy and one of the baseline."""
        settings, trials = self.settings, weights["trials"]
        error = reward - weights["baseline"]
        rate = settings.rate / (1.0 + settings.annealing * trials)
        step = (rate * error)[:, None, None] * natural_log_gradient(x, weights["policy"], action)
        return {
            "policy": (1.0 - per_row(settings.decay, step)) * weights["policy"] + step,
            "baseline": weights["baseline"] + settings.baseline_rate * error,
            "trials": trials + 1.0,
        }


def natural_log_gradient(x: Array, policy: Array, action: Array) -> Array:
    """F^+ times the gradient of log pi(action | x), with 1 / pi floored, [N, F, K].

    Args:
        x: features [N, F].
        policy: weights [N, F, K].
        action: [N].
    """
    probs = softmax(linear(x, policy))
    chosen = np.maximum(probs[np.arange(len(x)), action], FLOOR)
    centred = one_hot(action, probs.shape[1]) - 1.0 / probs.shape[1]
    step: Array = unit_step(x)[:, :, None] * (centred / chosen[:, None])[:, None]
    return step


def unit_step(x: Array) -> Array:
    """Least change of a linear output's weights that changes it by 1 at x, [N, F]."""
    change: Array = x / (x**2).sum(axis=1, keepdims=True)
    return change
