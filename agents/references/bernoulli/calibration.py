"""Index policies: an arm is worth the sure reward that one would just give it up for."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from metalocus.agents.agent import NEAR, Array, Stores, best_arms, spread
from metalocus.agents.references.bernoulli.counts import CountingPolicy
from metalocus.envs import Family
from metalocus.envs.families.bernoulli_bandit import BernoulliBandit

SURE_REWARDS = (1.0 - np.cos(np.linspace(0.0, np.pi, 1001))) / 2.0
"""Sure rewards a trial that arms are weighed against, [G]; denser where arms are near 0 or 1."""


class IndexPolicy(CountingPolicy):
    """Pulls the arm of highest index; an index depends on that arm and the trial alone."""

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Stationary arms alone: an index weighs what pulls will teach."""
        if isinstance(family, BernoulliBandit):
            return None
        return "it knows stationary Bernoulli bandits alone"

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Near: exact for one arm against a sure reward, not for several."""
        return NEAR

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest index, [N, K]."""
        return spread(best_arms(self.index(stores))), stores

    @abstractmethod
    def index(self, stores: Stores) -> Array:
        """Sure reward a trial that is worth as much as the arm, [N, K]."""


def indifference(advantage: Array) -> Array:
    """Sure reward at which the arm has no advantage left over it, [..., G] -> [...].

    The advantage is a convex falling function of :data:`SURE_REWARDS`, taken as linear
    between them; that errs upward, by at most 2e-4 for 200 trials.
    """
    left = (advantage >= 0.0).sum(axis=-1, keepdims=True) - 1
    here = np.take_along_axis(advantage, left, axis=-1)
    beyond = np.take_along_axis(advantage, left + 1, axis=-1)
    way = here / (here - beyond)
    crossing: Array = SURE_REWARDS[left] * (1.0 - way) + SURE_REWARDS[left + 1] * way
    return crossing[..., 0]
