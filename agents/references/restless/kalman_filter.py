"""One exact Kalman filter an arm, base of all policies for restless Gaussian arms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.references.normal.choices import NormalPolicy
from metalocus.envs import Family
from metalocus.envs.families.restless_bandit import RestlessBandit


class KalmanPolicy(NormalPolicy):
    """Keeps the exact posterior of every arm's mean at the coming trial.

    The state holds ``mean`` and ``variance``, both [N, K], of the normal posterior. The arms
    are independent, so there is a scalar filter for each.

    Source: Kalman 1960, "A new approach to linear filtering and prediction problems"; as a
    model of choice, Daw et al. 2006, "Cortical substrates for exploratory decisions".
    """

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, RestlessBandit)  # why_not has refused all others
        self.prior, self.noise = family.prior_sd**2, family.sd**2
        self.kept, self.drift = 1.0 - family.pull_back, family.drift_sd**2

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the restless Gaussian bandit can be played."""
        if isinstance(family, RestlessBandit):
            return None
        return "it knows the restless Gaussian bandit alone"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The prior mean and variance of every arm."""
        mean = np.zeros((n, self.n_arms))
        return Stores(state={"mean": mean, "variance": np.full_like(mean, self.prior)})

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Bayes' rule on the arm pulled, then every mean drifts."""
        mean, variance = stores.state["mean"], stores.state["variance"]
        pulled = np.arange(self.n_arms) == action[:, None]
        gain = pulled * variance / (variance + self.noise)
        mean = mean + gain * (reward[:, None] - mean)
        variance = (1.0 - gain) * variance
        state = {"mean": self.kept * mean, "variance": self.kept**2 * variance + self.drift}
        return replace(stores, state=state)

    def belief(self, stimulus: Array, stores: Stores) -> tuple[Array, Array]:
        """Mean and standard deviation of every arm's mean, each [N, K]."""
        return stores.state["mean"], np.sqrt(stores.state["variance"])
