"""The exact filter of Hattori's schedule: good side, contrast and age of the block."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import NEAR, Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.references.rewards import rewarded
from metalocus.agents.references.switching.hidden_markov import posterior
from metalocus.agents.sizes import too_large
from metalocus.envs import Family
from metalocus.envs.families.hattori_bandit import CHANCES, HattoriBandit

_BY_GOOD = np.stack([CHANCES, CHANCES[:, ::-1]])
"""Chance of reward by good arm, contrast and arm, [2, 2, 2]."""


class HattoriFilter(ReferencePolicy):
    """Infers good arm, contrast and age of the block, and pulls the arm of higher chance.

    The belief is exact (a hidden semi-Markov filter: the age is part of the hidden state). Greedy
    choice on it is near the optimum and not proved to be it: a pull of one arm tells a little more
    than one of the other, which it ignores.

    The state is ``belief`` [N, 2, 2, A], the probability of each good arm, contrast and age of
    the block at the coming trial, ages of ``block`` trials and more in the last place, A =
    ``block`` + 1. Feedback of probability 0 under the belief makes it uniform.

    Source: Yu 2010, "Hidden semi-Markov models", for the age as part of the state.
    """

    name: ClassVar[str] = "hattori_filter"
    summary: ClassVar[str] = "greedy on the exact filter of good arm, contrast and block age"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, HattoriBandit)  # why_not has refused all others
        self.ages, self.hazard = min(family.block, family.horizon) + 1, family.hazard

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only Hattori's schedule can be played, if its ages fit into memory."""
        if not isinstance(family, HattoriBandit):
            return "it filters the blocks of HattoriBandit"
        ages = min(family.block, family.horizon) + 1
        return too_large(f"a belief on {ages} ages of a block", 8 * 4 * ages)

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Near the optimum: the belief is exact, the choice greedy."""
        return NEAR

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """A block begins; either arm may be good, at either contrast."""
        belief = np.zeros((n, 2, 2, self.ages))
        belief[..., 0] = 0.25
        return Stores(state={"belief": belief})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of higher chance of reward, [N, 2]."""
        return spread(best_arms(self.values(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Bayes' rule on the reward, then one trial more of the block or another block."""
        chance = _BY_GOOD[:, :, action].transpose(2, 0, 1)
        likelihood = np.where(rewarded(reward)[:, None, None], chance, 1.0 - chance)
        belief = stores.state["belief"]
        full = np.broadcast_to(likelihood[..., None], belief.shape).reshape(len(belief), -1)
        now = posterior(belief.reshape(len(belief), -1), full).reshape(belief.shape)
        after = np.zeros_like(now)
        after[..., 1:] = now[..., :-1]
        after[..., -1] += now[..., -1]
        ends = self.hazard * after[..., -1]
        after[..., -1] -= ends
        after[..., 0] = ends.sum(axis=2)[:, ::-1, None] / 2.0  # the other arm, either contrast
        return replace(stores, state={"belief": after})

    def values(self, stores: Stores) -> Array:
        """Chance of reward of either arm now, [N, 2]; later rewards are left out."""
        values: Array = np.einsum("ngca,gck->nk", stores.state["belief"], _BY_GOOD)
        return values
