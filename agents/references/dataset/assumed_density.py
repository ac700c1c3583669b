"""Gaussian approximation of the posterior of a hidden plane, one example at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from scipy.special import log_ndtr, ndtr

from metalocus.agents.agent import NEAR, Array, Stores
from metalocus.agents.references.dataset.labels import LabelPolicy
from metalocus.agents.sizes import too_large
from metalocus.envs import Family
from metalocus.envs.families.dataset_bandit import DatasetBandit

LEAST_VARIANCE = 1e-12
"""Of a projection, so that it can be divided by; far below any that matters to a choice."""


class AssumedDensity(LabelPolicy):
    """Keeps a Gaussian belief about the plane's normal and takes the side of its mean.

    The prior N(0, I) is exact. After every example the posterior, a Gaussian times a step
    function, is replaced by the Gaussian of equal mean and covariance. So it is Bayes's
    rule for one example and an approximation for more, which depends on their order. The
    state holds ``mean`` [N, F] and ``covariance`` [N, F, F].

    Source: Minka 2001, "A family of algorithms for approximate Bayesian inference",
    section 3.2.1 (assumed-density filtering; the Bayes point machine).
    """

    name: ClassVar[str] = "assumed_density"
    summary: ClassVar[str] = "Gaussian approximation of a hidden plane's posterior (Minka 2001)"

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only linear rules: the belief is about a separating plane."""
        reason = super().why_not(family)
        if reason is not None:
            return reason
        assert isinstance(family, DatasetBandit)
        if family.rule != "linear":
            return "its belief is about a plane: rule='linear'"
        what = f"the covariance of {family.features} features"
        n_bytes = 8 * family.features**2
        return too_large(what, n_bytes, "use fewer features")

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Near the optimum: the belief is an approximation."""
        return NEAR

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The standard normal prior of the plane's normal vector."""
        f = self.family.features
        belief = {"mean": np.zeros((n, f)), "covariance": np.tile(np.eye(f), (n, 1, 1))}
        return Stores(state=belief | self.nothing_told(n))

    def take(self, stores: Stores, inputs: Array, outcomes: Array, given: Array) -> Stores:
        """Match the moments after each example in turn."""
        mean, covariance = stores.state["mean"], stores.state["covariance"]
        sides = (outcomes[:, :, 1] - outcomes[:, :, 0]) * given
        for one in range(inputs.shape[1]):
            mean, covariance = self._match(mean, covariance, inputs[:, one], sides[:, one])
        return replace(stores, state={**stores.state, "mean": mean, "covariance": covariance})

    def votes(self, stores: Stores, query: Array) -> Array:
        """Expected distance from the plane, to either side, [N, 2]."""
        distance = (stores.state["mean"] * query).sum(axis=1)
        return np.stack([-distance, distance], axis=1)

    def _match(
        self, mean: Array, covariance: Array, point: Array, side: Array
    ) -> tuple[Array, Array]:
        """Moments after a point [N, F] of a side [N], 1 or -1; 0 leaves them as they were.

        With a label that is wrong with probability e, evidence Z = e + (1 - 2e) Φ(z) and
        z = side · mean · point / s; s² is the variance along the point (Minka's equations
        3.15 to 3.20).
        """
        wrong = self.family.noise / 2.0
        along = (covariance @ point[:, :, None])[:, :, 0]
        s = np.sqrt(np.maximum((along * point).sum(axis=1), LEAST_VARIANCE))
        z = side * (mean * point).sum(axis=1) / s
        density = np.exp(-(z**2) / 2.0) / np.sqrt(2.0 * np.pi)
        if wrong:
            slope = (1.0 - 2.0 * wrong) * density / (wrong + (1.0 - 2.0 * wrong) * ndtr(z)) / s
        else:  # φ / Φ by logarithms: both vanish far below 0
            slope = np.exp(-(z**2) / 2.0 - log_ndtr(z)) / np.sqrt(2.0 * np.pi) / s
        bend = (slope**2 + slope * z / s) * np.abs(side)
        outer = along[:, :, None] * along[:, None]
        return mean + (slope * side)[:, None] * along, covariance - bend[:, None, None] * outer
