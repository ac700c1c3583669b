"""The exact hidden-Markov filter of the reversal task."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import EXACT, NEAR, Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.references.switching.hidden_markov import after_hazard, posterior
from metalocus.envs import Family
from metalocus.envs.families.reversal_bandit import ReversalBandit


class Filter(ReferencePolicy):
    """Infers which arm is the good one and pulls the arm of higher expected reward.

    A filter only infers. Acting greedily on it is Bayes-optimal with two arms, since a
    reward of one arm says what a failure of the other says (p against 1 - p) and switches
    are no doing of the agent: no choice brings more information than another. With more
    arms they differ in what they would tell, which greed does not heed; enumeration finds no
    loss from that in short episodes, but nothing proves that there is none. With a cue
    nothing is left to tell.

    The state is ``belief`` [N, K], the probability that each arm is the good one at the
    coming trial, given everything before it; with a cue, given the cue once ``act`` has
    seen it. A reward that the belief held impossible leaves no belief: it starts anew, all
    arms alike.

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
        """The reversal task alone."""
        if isinstance(family, ReversalBandit):
            return None
        return "it filters a hidden switch, which only ReversalBandit has"

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact where no choice brings more information than another."""
        return EXACT if family.n_arms == 2 or getattr(family, "cued", False) else NEAR

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Any arm may be the good one."""
        return Stores(state={"belief": np.full((n, self.n_arms), 1.0 / self.n_arms)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest expected reward, [N, K]."""
        if self.cued:
            stores = replace(stores, state={"belief": stimulus.astype(float)})
        return spread(best_arms(self.values(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Bayes' rule on the reward, then a switch with the hazard's probability."""
        agrees = (np.arange(self.n_arms) == action[:, None]) == (reward[:, None] > 0.5)
        belief = posterior(stores.state["belief"], np.where(agrees, self.p, 1.0 - self.p))
        return replace(stores, state={"belief": after_hazard(belief, self.hazard)})

    def values(self, stores: Stores) -> Array:
        """Expected reward of every arm at the coming trial, [N, K].

        What follows is left out; with two arms it is worth the same after either.
        """
        values: Array = stores.state["belief"] * (2.0 * self.p - 1.0) + (1.0 - self.p)
        return values
