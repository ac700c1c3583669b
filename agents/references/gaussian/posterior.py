"""The conjugate posterior of stationary Gaussian arms, base of all policies for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.references.normal.choices import NormalPolicy
from metalocus.envs import Family
from metalocus.envs.families.gaussian_bandit import SCALE, SHAPE, GaussianBandit


class GaussianPolicy(NormalPolicy):
    """Keeps the exact posterior of stationary Gaussian arms.

    The state holds ``pulls`` and ``sums`` of the rewards of every arm, both [N, K]; and, if
    the noise is unknown, ``squares`` [N], the sum of all squared rewards. Given the noise's
    variance σ² every mean is normal. An unknown σ² is inverse-gamma, so the posterior is
    normal-inverse-gamma and a mean alone follows Student's t distribution.

    Attributes:
        ratio: prior variance of a mean, in units of the noise's.

    Source: DeGroot 1970, "Optimal statistical decisions", sections 9.5 and 9.6.
    """

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, GaussianBandit)  # why_not has refused all others
        self.sd = family.sd
        self.horizon = family.horizon
        self.ratio = (family.prior_sd / (family.sd or 1.0)) ** 2

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the stationary Gaussian bandit can be played."""
        if isinstance(family, GaussianBandit):
            return None
        return "it knows the stationary Gaussian bandit alone"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No pulls yet."""
        state = {"pulls": np.zeros((n, self.n_arms)), "sums": np.zeros((n, self.n_arms))}
        return Stores(state=state if self.sd else {**state, "squares": np.zeros(n)})

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the reward to the sums of the arm pulled."""
        pulled = np.arange(self.n_arms) == action[:, None]
        state = dict(stores.state)
        state["pulls"] = state["pulls"] + pulled
        state["sums"] = state["sums"] + pulled * reward[:, None]
        if "squares" in state:
            state["squares"] = state["squares"] + reward**2
        return replace(stores, state=state)

    def means(self, stores: Stores) -> tuple[Array, Array]:
        """Posterior mean of every arm, and its variance in units of the noise's, each [N, K]."""
        variance = self.ratio / (1.0 + self.ratio * stores.state["pulls"])
        return variance * stores.state["sums"], variance

    def noise(self, stores: Stores) -> tuple[Array, Array]:
        """Shape and scale of an unknown noise variance's inverse-gamma posterior, each [N]."""
        mean, _ = self.means(stores)
        explained = (mean * stores.state["sums"]).sum(axis=1)
        shape = SHAPE + stores.state["pulls"].sum(axis=1) / 2.0
        return shape, SCALE + (stores.state["squares"] - explained) / 2.0

    def noise_sd(self, stores: Stores) -> Array:
        """Standard deviation of the noise, or the scale of its t distribution, [N, 1]."""
        if self.sd:
            return np.full((len(stores.state["pulls"]), 1), self.sd)
        shape, scale = self.noise(stores)
        sd: Array = np.sqrt(scale / shape)[:, None]
        return sd

    def belief(self, stimulus: Array, stores: Stores) -> tuple[Array, Array]:
        """Mean, and standard deviation or scale of the t distribution, each [N, K]."""
        mean, variance = self.means(stores)
        return mean, self.noise_sd(stores) * np.sqrt(variance)

    def left(self, stores: Stores) -> Array:
        """Trials left, the coming one included, [N, 1]."""
        left: Array = self.horizon - stores.state["pulls"].sum(axis=1, keepdims=True)
        return left
