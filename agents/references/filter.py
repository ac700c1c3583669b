"""The exact hidden-Markov filter of the reversal task."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import EXACT, Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.envs import Family
from metalocus.envs.families.reversal_bandit import ReversalBandit


class Filter(ReferencePolicy):
    """Infers which arm is the good one and pulls the arm of higher expected reward.

    A filter only infers. Acting greedily on it is Bayes-optimal on this task, since a
    reward of one arm says what a failure of the other says (p against 1 - p) and switches
    are no doing of the agent: no choice brings more information than another.

    The state is ``belief`` [N, 2], the probability that each arm is the good one at the
    coming trial, given everything before it; with a cue, given the cue once ``act`` has
    seen it. A reward that the belief held impossible leaves no belief: it starts anew at 1/2.

    Source: the forward recursion of Rabiner 1989, "A tutorial on hidden Markov models",
    equations 19 to 21.
    """

    name: ClassVar[str] = "filter"
    summary: ClassVar[str] = "greedy on the exact hidden-Markov filter, Bayes-optimal on reversal"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, ReversalBandit)  # why_not has refused all others
        self.p, self.hazard, self.cued = family.p, family.hazard, family.cued

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """The reversal task alone."""
        if isinstance(family, ReversalBandit):
            return None
        return "it filters a hidden switch, which only ReversalBandit has"

    @classmethod
    def standing(cls, family: Family) -> int:
        """Exact: no choice brings more information than another."""
        return EXACT

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Either arm may be the good one."""
        return Stores(state={"belief": np.full((n, 2), 0.5)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of higher expected reward, [N, 2]."""
        if self.cued:
            stores = replace(stores, state={"belief": stimulus.astype(float)})
        return spread(best_arms(self.values(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Bayes' rule on the reward, then a switch with the hazard's probability."""
        agrees = (np.arange(2) == action[:, None]) == (reward[:, None] > 0.5)
        joint = stores.state["belief"] * np.where(agrees, self.p, 1.0 - self.p)
        evidence = joint.sum(axis=1, keepdims=True)
        belief = np.divide(joint, evidence, out=np.full_like(joint, 0.5), where=evidence > 0.0)
        belief = belief + self.hazard * (belief[:, ::-1] - belief)
        return replace(stores, state={"belief": belief})

    def values(self, stores: Stores) -> Array:
        """Expected reward of every arm at the coming trial, [N, 2].

        What follows is worth the same after either arm and is left out.
        """
        values: Array = stores.state["belief"] * (2.0 * self.p - 1.0) + (1.0 - self.p)
        return values
