"""The exact hidden-Markov filter of the reversal task."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import EXACT, NEAR, Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.references.rewards import rewarded
from metalocus.agents.references.switching.hidden_markov import after_hazard, posterior
from metalocus.envs import Family
from metalocus.envs.families.reversal_bandit import ReversalBandit


class Filter(ReferencePolicy):
    """Infers which arm is the good one and pulls the arm of higher expected reward.

    Greedy choice on the filter is Bayes-optimal with two arms: a reward of one arm is as likely
    as a failure of the other under every hypothesis (p against 1 - p) and the agent does not
    influence switches, so both choices are equally informative. With more arms they are not,
    and greedy choice ignores information; enumeration finds no loss in short episodes, but
    there is no proof. With a cue there is no information to gain.

    The state is ``belief`` [N, K], the probability that each arm is the good one at the
    coming trial, given everything before it; with a cue, given the cue once ``act`` has
    seen it. A reward of probability 0 under the belief resets it to uniform.

    Source: the forward recursion of Rabiner 1989, "A tutorial on hidden Markov models",
    equations 19 to 21.
    """

    name: ClassVar[str] = "filter"
    summary: ClassVar[str] = "greedy on the exact hidden-Markov filter; Bayes-optimal at two arms"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, ReversalBandit)  # why_not has refused all others
        self.p, self.hazard, self.cued = family.p, family.hazard, family.cued

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the reversal task can be played."""
        if isinstance(family, ReversalBandit):
            return None
        return "it filters a hidden switch, which only ReversalBandit has"

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact where all choices are equally informative, else near the optimum."""
        return EXACT if family.n_arms == 2 or getattr(family, "cued", False) else NEAR

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """A uniform belief."""
        return Stores(state={"belief": np.full((n, self.n_arms), 1.0 / self.n_arms)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest expected reward, [N, K]."""
        if self.cued:
            stores = replace(stores, state={"belief": stimulus.astype(float)})
        return spread(best_arms(self.values(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Bayes' rule on the reward, then a switch with the hazard's probability."""
        agrees = (np.arange(self.n_arms) == action[:, None]) == rewarded(reward)[:, None]
        belief = posterior(stores.state["belief"], np.where(agrees, self.p, 1.0 - self.p))
        return replace(stores, state={"belief": after_hazard(belief, self.hazard)})

    def values(self, stores: Stores) -> Array:
        """Expected reward of every arm at the coming trial, [N, K].

        Later rewards are left out; with two arms their sum is the same after either.
        """
        values: Array = stores.state["belief"] * (2.0 * self.p - 1.0) + (1.0 - self.p)
        return values
