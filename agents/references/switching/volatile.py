"""The exact filter of the reversal task whose hazard itself switches."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import EXACT, Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.references.rewards import rewarded
from metalocus.agents.references.switching.hidden_markov import after_hazard, posterior
from metalocus.envs import Family
from metalocus.envs.families.volatile_bandit import VolatileBandit


class VolatileFilter(ReferencePolicy):
    """Infers good arm and volatility together and pulls the arm of higher expected reward.

    Greedy choice on the filter is Bayes-optimal here: a reward of one arm is as likely as a
    failure of the other under every hypothesis (p against 1 - p), so either choice leads to the
    same beliefs with the same probabilities, and the agent does not influence switches.

    The state is ``belief`` [N, 2, 2], the probability of each level (calm, volatile) with
    each good arm at the coming trial, given everything before it; with a cue, given the cue
    too once ``act`` has seen it. A reward of probability 0 under the belief resets it to uniform.

    Source: the joint inference of Behrens et al. 2007, "Learning the value of information in
    an uncertain world", for two levels of volatility, where the forward recursion is exact.
    """

    name: ClassVar[str] = "volatile_filter"
    summary: ClassVar[str] = "greedy on the exact filter of good arm and volatility: optimal"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, VolatileBandit)  # why_not has refused all others
        self.p, self.cued = family.p, family.cued
        self.hazards, self.level_hazard = family.hazards, family.level_hazard

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the volatile bandit can be played."""
        if isinstance(family, VolatileBandit):
            return None
        return "it filters a hidden volatility, which only VolatileBandit has"

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact: both choices are equally informative."""
        return EXACT

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """A uniform belief over the four pairs of level and good arm."""
        return Stores(state={"belief": np.full((n, 2, 2), 0.25)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of higher expected reward, [N, 2]."""
        if self.cued:
            stores = replace(stores, state={"belief": _after(stores.state["belief"], stimulus)})
        return spread(best_arms(self.values(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Bayes' rule on the reward, then a change of level, then a switch at its hazard."""
        agrees = (np.arange(2) == action[:, None]) == rewarded(reward)[:, None]
        belief = _after(stores.state["belief"], np.where(agrees, self.p, 1.0 - self.p))
        by_level = after_hazard(belief.swapaxes(1, 2), self.level_hazard)
        belief = after_hazard(by_level.swapaxes(1, 2), self.hazards[:, None])
        return replace(stores, state={"belief": belief})

    def values(self, stores: Stores) -> Array:
        """Expected reward of either arm at the coming trial, [N, 2].

        Later rewards are left out; their sum is the same after either arm.
        """
        good = stores.state["belief"].sum(axis=1)
        values: Array = good * (2.0 * self.p - 1.0) + (1.0 - self.p)
        return values


def _after(belief: Array, likelihood: Array) -> Array:
    """Bayes' rule on the pairs [N, 2, 2] for a likelihood of the good arm alone, [N, 2]."""
    pairs = posterior(belief.reshape(-1, 4), np.tile(likelihood, 2))
    return pairs.reshape(-1, 2, 2)
