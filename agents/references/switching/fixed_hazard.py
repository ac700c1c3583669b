"""The best filter of the volatile bandit that takes the hazard to be constant."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.references.rewards import rewarded
from metalocus.agents.references.switching.hidden_markov import after_hazard, posterior
from metalocus.envs import Family
from metalocus.envs.common_random_numbers import CommonRandomNumbers, seed_keys
from metalocus.envs.families._switching import switched
from metalocus.envs.families.volatile_bandit import VolatileBandit

HAZARDS = np.array([0.0, *np.geomspace(0.002, 0.5, 16)])
"""Hazards that are tried, a factor of 1.4 apart: half of it costs less than 1e-3 of the return."""
TUNING_SEED, EPISODES, TRIALS = 1000, 300, 400
"""Of the episodes on which a hazard is chosen: 120,000 trials, apart from all that is reported."""


class FixedHazardFilter(ReferencePolicy):
    """Infers the good arm as if the hazard were one constant, the best one for the task.

    What the exact filter earns more is what a learning rate that follows the volatility is worth.

    The state is ``belief`` [N, 2], the probability that each arm is the good one at the coming
    trial; with a cue, given the cue once ``act`` has seen it.

    Attributes:
        hazard: the best of :data:`HAZARDS`, on other episodes than any that are reported.
    """

    name: ClassVar[str] = "fixed_hazard_filter"
    summary: ClassVar[str] = "greedy on the filter of the best constant hazard"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, VolatileBandit)  # why_not has refused all others
        self.p, self.cued = family.p, family.cued
        low, high = family.hazards.tolist()
        trials = min(family.horizon, TRIALS)
        self.hazard = best_hazard(family.p, low, high, family.level_hazard, trials)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the volatile bandit can be played."""
        if isinstance(family, VolatileBandit):
            return None
        return "it stands beside the exact filter of VolatileBandit"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """A uniform belief."""
        return Stores(state={"belief": np.full((n, 2), 0.5)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of higher expected reward, [N, 2]."""
        if self.cued:
            stores = replace(stores, state={"belief": stimulus.astype(float)})
        return spread(best_arms(self.values(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Bayes' rule on the reward, then a switch with the constant hazard."""
        agrees = (np.arange(2) == action[:, None]) == rewarded(reward)[:, None]
        belief = posterior(stores.state["belief"], np.where(agrees, self.p, 1.0 - self.p))
        return replace(stores, state={"belief": after_hazard(belief, self.hazard)})

    def values(self, stores: Stores) -> Array:
        """Expected reward of either arm at the coming trial, [N, 2]."""
        values: Array = stores.state["belief"] * (2.0 * self.p - 1.0) + (1.0 - self.p)
        return values


@lru_cache(maxsize=64)
def best_hazard(p: float, low: float, high: float, level_hazard: float, trials: int) -> float:
    """The constant hazard of :data:`HAZARDS` whose filter earns most.

    The two arms are equally informative, so that the beliefs do not depend on the choices: all
    hazards are filtered on one history, in which the first arm is always pulled.
    """
    crn = CommonRandomNumbers(seed_keys(TUNING_SEED, EPISODES))
    good = (crn.uniform("task") < 0.5).astype(np.int64)
    volatile = (crn.uniform("level") < 0.5).astype(np.int64)
    hazards = np.array([low, high])
    belief = np.full((len(HAZARDS), EPISODES, 2), 0.5)
    earned = np.zeros(len(HAZARDS))
    for t in range(trials):
        mean = np.where(np.arange(2) == good[:, None], p, 1.0 - p)
        value = belief * (2.0 * p - 1.0)
        best = best_arms(value.reshape(-1, 2)).reshape(value.shape)
        earned += (mean * best / best.sum(axis=2, keepdims=True)).sum(axis=(1, 2))
        agrees = (np.arange(2) == 0) == (crn.uniform("reward", t) < mean[:, 0])[:, None]
        likelihood = np.tile(np.where(agrees, p, 1.0 - p), (len(HAZARDS), 1))
        belief = posterior(belief.reshape(-1, 2), likelihood).reshape(belief.shape)
        belief = after_hazard(belief, HAZARDS[:, None, None])
        volatile = switched(volatile, 2, level_hazard, crn, t + 1, "level")
        good = switched(good, 2, hazards[volatile], crn, t + 1)
    return float(HAZARDS[earned.argmax()])
