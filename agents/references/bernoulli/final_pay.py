"""The optimum of the bandit that is paid at the end: it counts what it sees."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy, Stores
from metalocus.agents.references.bernoulli import plain
from metalocus.envs import Family
from metalocus.envs.families.final_pay import FinalPay

NO_ACTION = -1
"""Stands for the last action before the first trial."""


class FinalPayOptimal(ReferencePolicy):
    """Plays the best policy of a plain bandit, with the outcomes shown in the rewards' place.

    Bayes-optimal where that policy is: the sum of the outcomes is what a plain bandit pays.

    The state is ``successes`` and ``failures``, both [N, K], and ``last`` [N], the action whose
    outcome is shown next, -1 where there is none.
    """

    name: ClassVar[str] = "final_pay_optimal"
    summary: ClassVar[str] = "counts the outcomes shown; optimal where a plain bandit's optimum is"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.inner = plain.best_policy(family.n_arms, family.horizon)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the bandit that is paid at the end, of a size that a plain one can have."""
        if not isinstance(family, FinalPay):
            return "it counts the outcomes that FinalPay shows"
        return plain.why_none(family.n_arms, family.horizon)

    @classmethod
    def optimality(cls, family: Family) -> int:
        """As that of the plain bandit's policy."""
        return plain.optimality(family.n_arms, family.horizon)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No pulls yet."""
        counts = self.inner.start(n, rng).state
        return Stores(state={**counts, "last": np.full(n, NO_ACTION)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Choice of the plain policy after the outcome shown is counted, [N, K]."""
        last = stores.state["last"]
        counted = self.inner.learn(stores, stimulus, last, stimulus[:, 0].astype(float)).state
        stores = Stores(state={**counted, "last": np.full_like(last, NO_ACTION)})
        return self.inner.act(stimulus, stores)[0], stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Remember the action; its outcome is shown before the next."""
        return replace(stores, state={**stores.state, "last": action.copy()})

    def values(self, stores: Stores) -> Array | None:
        """Pay still to be earned if the arm is pulled next, [N, K]."""
        return self.inner.values(stores)
