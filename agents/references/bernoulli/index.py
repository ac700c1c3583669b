"""Index policies of Bernoulli arms, by calibration against a retirement reward.

The retirement problem (Whittle 1980, "Multi-armed bandits and the Gittins index"): at every trial
one pulls the arm or retires, for a fixed reward λ in each trial that is left. An arm's index is
the λ at which pulling once more and retiring now are worth the same.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from metalocus.agents.agent import NEAR, Array, Stores, best_arms, spread
from metalocus.agents.references.bernoulli.counts import CountingPolicy
from metalocus.envs import Family
from metalocus.envs.families.bernoulli_bandit import BernoulliBandit

RETIREMENT_REWARDS = (1.0 - np.cos(np.linspace(0.0, np.pi, 1001))) / 2.0
"""Rewards λ a trial for which the retirement problem is solved, [G]; denser near 0 and 1, where
the posteriors of good and bad arms are narrow."""


class IndexPolicy(CountingPolicy):
    """Pulls the arm of highest index; an index depends on that arm and the trial alone."""

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only stationary arms can be played: an index counts what later pulls will earn."""
        if isinstance(family, BernoulliBandit):
            return None
        return "it knows stationary Bernoulli bandits alone"

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Near the optimum: exact for one arm against retirement, not for several arms."""
        return NEAR

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest index, [N, K]."""
        return spread(best_arms(self.index(stores))), stores

    @abstractmethod
    def index(self, stores: Stores) -> Array:
        """Index of every arm, a reward a trial, [N, K]."""


def indifference(advantage: Array) -> Array:
    """The retirement reward at which pulling has no advantage left, [..., G] -> [...].

    The advantage of pulling over retiring falls with the retirement reward and is convex in it.
    It is taken as linear between :data:`RETIREMENT_REWARDS`; that errs upward, by at most 2e-4
    for 200 trials.
    """
    left = (advantage >= 0.0).sum(axis=-1, keepdims=True) - 1
    here = np.take_along_axis(advantage, left, axis=-1)
    beyond = np.take_along_axis(advantage, left + 1, axis=-1)
    way = here / (here - beyond)
    crossing: Array = RETIREMENT_REWARDS[left] * (1.0 - way) + RETIREMENT_REWARDS[left + 1] * way
    return crossing[..., 0]
