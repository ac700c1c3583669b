"""The knowledge gradient for a finite horizon."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from metalocus.agents.agent import NEAR, UNRANKED, Array, Stores, best_arms, spread
from metalocus.agents.references.gaussian.grid import GaussianGrid
from metalocus.agents.references.gaussian.posterior import GaussianPolicy
from metalocus.envs import Family


class KnowledgeGradient(GaussianPolicy):
    """Pulls the arm of highest mean + (trials after this one) x knowledge gradient.

    The knowledge gradient of an arm is the expected rise of the highest posterior mean by one
    more reward of that arm. The index would be optimal if nothing were learned after the coming
    trial. Where the noise is unknown, the change of a mean follows Student's t distribution.

    Source: Ryzhov, Powell & Frazier 2012, "The knowledge gradient algorithm for a general
    class of online learning problems"; for the gradient, Frazier, Powell & Dayanik 2008, "A
    knowledge-gradient policy for sequential information collection".
    """

    name: ClassVar[str] = "knowledge_gradient"
    summary: ClassVar[str] = "online knowledge gradient on Gaussian arms (Ryzhov et al. 2012)"

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Near the optimum where the grid, which is nearer, cannot play."""
        return NEAR if GaussianGrid.why_not(family) else UNRANKED

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest index, [N, K]."""
        mean, _ = self.means(stores)
        index = mean + (self.left(stores) - 1.0) * self.gradient(stores)
        return spread(best_arms(index)), stores

    def gradient(self, stores: Stores) -> Array:
        """Expected rise of the highest posterior mean by one reward of each arm, [N, K]."""
        from scipy import stats  # a slow import, needed here alone

        mean, variance = self.means(stores)
        change = self.noise_sd(stores) * variance / np.sqrt(1.0 + variance)
        ordered = np.sort(mean, axis=1)
        first, second = ordered[:, -1:], ordered[:, -2:-1]
        gap = np.where(mean == first, first - second, first - mean)
        z = np.divide(gap, change, out=np.full_like(gap, np.inf), where=change > 0.0)
        z = np.minimum(z, 1e9)  # far beyond any reward, and finite
        if self.sd:
            return np.asarray(change * (stats.norm.pdf(z) - z * stats.norm.sf(z)))
        degrees = 2.0 * self.noise(stores)[0][:, None]
        density = stats.t.pdf(z, degrees) * (degrees + z**2) / (degrees - 1.0)
        return np.asarray(change * np.maximum(density - z * stats.t.sf(z, degrees), 0.0))
