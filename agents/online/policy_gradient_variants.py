"""REINFORCE without its baseline, and with other optimizers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Store
from metalocus.agents.online.learner import per_row
from metalocus.agents.online.policy_gradient import PolicyGradient, PolicyGradientSettings
from metalocus.agents.online.space import Range

TINY = 1e-8
"""Added to Adam's denominator, the default of Kingma & Ba 2015."""


class Reinforce(PolicyGradient):
    """The policy gradient whose baseline is 0 and stays there.

    Every reward then increases the probability of the action taken. Williams 1992, equation 4,
    with b = 0.
    """

    name: ClassVar[str] = "reinforce"
    summary: ClassVar[str] = "online: REINFORCE without a baseline after every transition"
    space: ClassVar[Mapping[str, Range]] = {
        **PolicyGradient.space,
        "baseline": Range(0.0, 0.0),
        "baseline_rate": Range(0.0, 0.0),
    }
    untuned = replace(PolicyGradient.untuned, baseline=0.0, baseline_rate=0.0)
    tuned = {  # best of 400 tried on each task
        ("BernoulliBandit-v0", 2): PolicyGradientSettings(
            rate=1.05, baseline=0.0, baseline_rate=0.0, bound=np.inf
        ),
        ("BernoulliBandit-v0", 5): PolicyGradientSettings(
            rate=1.09, baseline=0.0, baseline_rate=0.0, bound=np.inf
        ),
        ("BernoulliBandit-v0", 10): PolicyGradientSettings(
            rate=1.35, baseline=0.0, baseline_rate=0.0, bound=np.inf
        ),
        ("ReversalBandit-v0", 2): PolicyGradientSettings(
            rate=1.36, baseline=0.0, baseline_rate=0.0, bound=1.26
        ),
    }


@dataclass(frozen=True)
class MomentumSettings(PolicyGradientSettings):
    """Constants of the rule.

    Attributes:
        momentum: fraction of the last step that is added to this one.
    """

    momentum: float


class PolicyGradientMomentum(PolicyGradient):
    """The policy gradient with heavy-ball momentum.

    Polyak 1964, "Some methods of speeding up the convergence of iteration methods".
    """

    name: ClassVar[str] = "policy_gradient_momentum"
    summary: ClassVar[str] = "online: REINFORCE with a baseline, steps with momentum"
    settings: MomentumSettings
    space: ClassVar[Mapping[str, Range]] = {
        **PolicyGradient.space,
        "momentum": Range(0.0, 0.95),
    }
    untuned = MomentumSettings(
        **{**asdict(PolicyGradient.untuned), "rate": 0.04},  # ten times further over a run of steps
        momentum=0.9,  # the usual one
    )
    tuned = {  # best of 400 tried on each task
        ("BernoulliBandit-v0", 2): MomentumSettings(
            rate=2.0, baseline=0.503, baseline_rate=0.00377, bound=np.inf, momentum=0.112
        ),
        ("BernoulliBandit-v0", 5): MomentumSettings(
            rate=1.39, baseline=0.636, baseline_rate=0.0758, bound=7.09, momentum=0.32
        ),
        ("BernoulliBandit-v0", 10): MomentumSettings(
            rate=6.59, baseline=0.876, baseline_rate=0.079, bound=4.29, momentum=0.893
        ),
        ("ReversalBandit-v0", 2): MomentumSettings(
            rate=4.37, baseline=0.536, baseline_rate=0.00509, bound=1.57, momentum=0.0508
        ),
    }

    def moments(self, like: Array) -> Store:
        """The last step, 0 at first."""
        return {"velocity": np.zeros_like(like)}

    def ascend(self, weights: Store, gradient: Array) -> tuple[Array, Store]:
        """A step along the decaying sum of the gradients."""
        momentum, rate = (
            per_row(each, gradient) for each in (self.settings.momentum, self.settings.rate)
        )
        velocity = momentum * weights["velocity"] + rate * gradient
        return velocity, {"velocity": velocity}


@dataclass(frozen=True)
class AdamSettings(PolicyGradientSettings):
    """Constants of the rule.

    Attributes:
        beta_1: decay of the running mean of the gradients.
        beta_2: decay of the running mean of their squares.
    """

    beta_1: float
    beta_2: float


class PolicyGradientAdam(PolicyGradient):
    """The policy gradient with Adam's steps.

    Kingma & Ba 2015, "Adam: a method for stochastic optimization", algorithm 1.
    """

    name: ClassVar[str] = "policy_gradient_adam"
    summary: ClassVar[str] = "online: REINFORCE with a baseline, Adam's steps"
    settings: AdamSettings
    space: ClassVar[Mapping[str, Range]] = {
        **PolicyGradient.space,
        "beta_1": Range(0.0, 0.95),
        "beta_2": Range(0.5, 0.999),
    }
    untuned = AdamSettings(
        **{**asdict(PolicyGradient.untuned), "rate": 0.1},  # ten units of a logit in 100 trials
        beta_1=0.9,  # both of Kingma & Ba
        beta_2=0.999,
    )
    tuned = {  # best of 400 tried on each task
        ("BernoulliBandit-v0", 2): AdamSettings(
            rate=0.694,
            baseline=0.595,
            baseline_rate=0.00497,
            bound=np.inf,
            beta_1=0.302,
            beta_2=0.996,
        ),
        ("BernoulliBandit-v0", 5): AdamSettings(
            rate=1.13,
            baseline=0.974,
            baseline_rate=0.0279,
            bound=np.inf,
            beta_1=0.536,
            beta_2=0.609,
        ),
        ("BernoulliBandit-v0", 10): AdamSettings(
            rate=1.13,
            baseline=0.974,
            baseline_rate=0.0279,
            bound=np.inf,
            beta_1=0.536,
            beta_2=0.609,
        ),
        ("ReversalBandit-v0", 2): AdamSettings(
            rate=3.33, baseline=0.669, baseline_rate=0.0263, bound=1.81, beta_1=0.031, beta_2=0.964
        ),
    }

    def moments(self, like: Array) -> Store:
        """Running means of the gradient and of its square, and the number of steps, all 0."""
        return {
            "mean": np.zeros_like(like),
            "square": np.zeros_like(like),
            "steps": np.zeros(len(like)),
        }

    def ascend(self, weights: Store, gradient: Array) -> tuple[Array, Store]:
        """Mean over root mean square of the gradients, both corrected for their start at 0."""
        beta_1, beta_2 = self.settings.beta_1, self.settings.beta_2
        steps = weights["steps"] + 1.0
        mean = _decayed(weights["mean"], gradient, beta_1)
        square = _decayed(weights["square"], gradient**2, beta_2)
        unbiased, spread = (
            each / (1.0 - beta**steps)[:, None, None]
            for each, beta in ((mean, beta_1), (square, beta_2))
        )
        step = per_row(self.settings.rate, unbiased) * unbiased / (np.sqrt(spread) + TINY)
        return step, {"mean": mean, "square": square, "steps": steps}


def _decayed(mean: Array, new: Array, beta: float | Array) -> Array:
    """A running mean [N, F, K] with what is new."""
    decay = per_row(beta, new)
    moved: Array = decay * mean + (1.0 - decay) * new
    return moved
