"""What the policies for linear contextual arms share: exact Bayesian regression on every arm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.references.normal.choices import NormalPolicy
from metalocus.agents.sizes import too_large
from metalocus.envs import Family
from metalocus.envs.families.linear_bandit import LinearBandit


class LinearPolicy(NormalPolicy):
    """Keeps the exact posterior of every arm's weights.

    The state holds ``mean`` [N, K, d] and ``covariance`` [N, K, d, d] of the normal
    posterior, updated one context at a time.

    Source: Bishop 2006, "Pattern recognition and machine learning", section 3.3.
    """

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, LinearBandit)  # why_not has refused all others
        self.n_features, self.prior = family.n_features, family.weight_sd**2
        self.noise = family.sd**2

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the linear contextual bandit can be played, if its covariances fit into memory."""
        if not isinstance(family, LinearBandit):
            return "it knows the linear contextual bandit alone"
        what = f"the covariances of {family.n_features} features and {family.n_arms} arms"
        n_bytes = 8 * family.n_arms * family.n_features**2
        return too_large(what, n_bytes)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The prior of every arm's weights."""
        mean = np.zeros((n, self.n_arms, self.n_features))
        covariance = self.prior * np.eye(self.n_features)
        shape = (*mean.shape, self.n_features)
        return Stores(state={"mean": mean, "covariance": np.broadcast_to(covariance, shape).copy()})

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Bayes' rule on the weights of the arm pulled."""
        mean, covariance = stores.state["mean"].copy(), stores.state["covariance"].copy()
        pulled = (np.arange(len(action)), action)
        shared = (covariance[pulled] @ stimulus[:, :, None])[:, :, 0]
        predicted = (mean[pulled] * stimulus).sum(axis=1)
        gain = shared / (self.noise + (shared * stimulus).sum(axis=1))[:, None]
        mean[pulled] += gain * (reward - predicted)[:, None]
        covariance[pulled] -= gain[:, :, None] * shared[:, None]
        return replace(stores, state={"mean": mean, "covariance": covariance})

    def belief(self, stimulus: Array, stores: Stores) -> tuple[Array, Array]:
        """Mean and standard deviation of every arm's expected reward in this context, [N, K]."""
        x = stimulus[:, None, :, None]
        mean = (stores.state["mean"] @ stimulus[:, :, None])[:, :, 0]
        variance = (stores.state["covariance"] @ x * x).sum(axis=(2, 3))
        return mean, np.sqrt(np.maximum(variance, 0.0))
