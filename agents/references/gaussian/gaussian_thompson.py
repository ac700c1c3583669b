"""Thompson sampling on Gaussian arms, by its exact choice probabilities."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.linalg import eigh_tridiagonal

from metalocus.agents.agent import Array, Stores
from metalocus.agents.references.gaussian.belief import GaussianPolicy
from metalocus.agents.references.generic.normal import ThompsonChoice, chance_of_best
from metalocus.envs import Family
from metalocus.envs.families.gaussian_bandit import SHAPE

PRECISIONS = 8


class GaussianThompson(GaussianPolicy, ThompsonChoice):
    """Pulls each Gaussian arm with the posterior probability that it is the best one.

    Of normal means that is an integral over one variable. Where the noise is unknown it is
    averaged over the noise's precision, which is gamma distributed, by Gauss-Laguerre
    quadrature with 8 nodes; that errs by less than 1e-4.

    Source: Thompson 1933, "On the likelihood that one unknown probability exceeds
    another"; Honda & Takemura 2014, "Optimality of Thompson sampling for Gaussian bandits
    depends on priors".
    """

    name: ClassVar[str] = "gaussian_thompson"
    summary: ClassVar[str] = "Thompson sampling on Gaussian arms, exact probabilities"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        rules = [gamma_rule(SHAPE + pulls / 2.0, PRECISIONS) for pulls in range(self.horizon)]
        self.nodes, self.weights = (np.stack(part) for part in zip(*rules, strict=True))

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Probability that each arm is the best one, [N, K]."""
        if self.sd:
            return super().act(stimulus, stores)
        mean, variance = self.means(stores)
        scale = self.noise(stores)[1]
        pulls = np.rint(stores.state["pulls"].sum(axis=1)).astype(np.int64)
        rule = np.clip(pulls, 0, self.horizon - 1)
        probs = np.zeros_like(mean)
        for nodes, weights in zip(self.nodes[rule].T, self.weights[rule].T, strict=True):
            sd = np.sqrt((scale / nodes)[:, None] * variance)
            probs += weights[:, None] * chance_of_best(mean, sd)
        return probs, stores


def gamma_rule(shape: float, n: int) -> tuple[Array, Array]:
    """Gauss quadrature for the gamma distribution of a shape: nodes and weights, each [n].

    Source: Golub & Welsch 1969, "Calculation of Gauss quadrature rules".
    """
    i = np.arange(n)
    nodes, vectors = eigh_tridiagonal(2.0 * i + shape, np.sqrt(i[1:] * (i[1:] + shape - 1.0)))
    return nodes, vectors[0] ** 2
