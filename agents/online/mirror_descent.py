"""Mirror descent under the entropy: multiplicative updates of the policy's probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Store, Stores
from metalocus.agents.online.learner import OnlineLearner, RuleSettings, linear, per_row, softmax
from metalocus.agents.online.natural_gradient import unit_step
from metalocus.agents.online.space import LEVEL, SHARE_OR_NONE, STEP, Range

TINY = 1e-100
"""Least probability whose logarithm is kept: rewards of a million trials do not reach it back."""


@dataclass(frozen=True)
class MirrorDescentSettings(RuleSettings):
    """Constants of the rule.

    Attributes:
        rate: step size.
        baseline: reward that changes nothing: at 0 rewards are gains, at 1 what is missing from
            the greatest reward is a loss.
        share: part of the probability that is spread evenly over all actions at each trial.
        mix: probability of a uniformly random action.
    """

    rate: float
    baseline: float
    share: float
    mix: float


class MirrorDescent(OnlineLearner[MirrorDescentSettings]):
    """Mirror descent with the negative entropy, which is the exponentiated gradient.

    The reward of every action is estimated by (reward - baseline) / q for the action taken, which
    had the probability q, and 0 for the others. The policy p at the features x of the trial
    becomes

        p' proportional to p * exp(rate * estimate),   p'' = (1 - share) * p' + share / K

    by the least change of the linear weights that makes it so, with logits of mean 0. Actions are
    drawn from q = (1 - mix) * p + mix / K.
    Auer et al. 2002, "The nonstochastic multiarmed bandit problem", section 8 (Exp3.S), with the
    share of Herbster & Warmuth 1998, "Tracking the best expert", section 4.
    """

    name: ClassVar[str] = "mirror_descent"
    summary: ClassVar[str] = "online: mirror descent under the entropy (Exp3.S)"
    space: ClassVar[Mapping[str, Range]] = {
        "rate": STEP,
        "baseline": LEVEL,
        "share": SHARE_OR_NONE,
        "mix": SHARE_OR_NONE,
    }
    untuned = MirrorDescentSettings(
        rate=0.08,  # sqrt(2 ln K / (K T)) at T = 100 for 2 to 5 actions (Bubeck 2012, theorem 3.1)
        baseline=1.0,  # losses, as there
        share=0.01,  # 1 / T: one change in an episode
        mix=0.0,  # losses need none
    )
    tuned = {  # python -m metalocus.experiments.tuning --budget 1e6
        ("BernoulliBandit-v0", 2): MirrorDescentSettings(
            rate=14.6, baseline=0.607, share=0.0, mix=0.0
        ),
        ("BernoulliBandit-v0", 5): MirrorDescentSettings(
            rate=2.78, baseline=0.675, share=7.59e-05, mix=0.0
        ),
        ("BernoulliBandit-v0", 10): MirrorDescentSettings(
            rate=29.7, baseline=0.777, share=0.0, mix=0.0
        ),
        ("ReversalBandit-v0", 2): MirrorDescentSettings(
            rate=5.74, baseline=0.524, share=0.000213, mix=0.0
        ),
        ("RuleSwitching-v0", 4): MirrorDescentSettings(
            rate=34.8, baseline=0.508, share=1.3e-05, mix=0.00236
        ),
        ("InformativeBandit-v0", 11): MirrorDescentSettings(
            rate=72.5, baseline=0.917, share=0.0, mix=0.0
        ),
    }

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """A uniform policy."""
        return Stores(weights={"policy": self.fresh_weights(n)})

    def policy(self, weights: Store, x: Array) -> Array:
        """Softmax of the linear layer, mixed with a uniformly random action, [N, K]."""
        mix = per_row(self.settings.mix, x)
        return (1.0 - mix) * softmax(linear(x, weights["policy"])) + mix / self.n_arms

    def update(self, weights: Store, x: Array, action: Array, reward: Array) -> Store:
        """The multiplicative step at x, then the share."""
        settings, rows = self.settings, np.arange(len(x))
        logits = linear(x, weights["policy"])
        taken = self.policy(weights, x)[rows, action]
        raised = logits.copy()
        raised[rows, action] += settings.rate * (reward - settings.baseline) / taken
        share = per_row(settings.share, raised)
        shared = (1.0 - share) * softmax(raised) + share / self.n_arms
        target = np.log(np.maximum(shared, TINY))
        change = target - target.mean(axis=1, keepdims=True) - logits
        return {"policy": weights["policy"] + unit_step(x)[:, :, None] * change[:, None]}
