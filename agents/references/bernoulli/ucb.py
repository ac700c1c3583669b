"""Upper confidence bounds: tuned, as published, and from the prior."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores, best_arms, spread
from metalocus.agents.references.bernoulli.counts import CountingPolicy


class UCB1(CountingPolicy):
    """Pulls every arm once, then the arm of highest mean + width sqrt(2 log t / n).

    The mean is the empirical one, t the number of pulls so far, n that of the arm. With no more
    trials than arms every arm is pulled at most once, so the return is that of random choice.

    Class attributes:
        width: 0.1, the best of eight from 0.05 to 1 at 10 arms and 100 pulls, on 10,000
            tasks of seed 1000 (at 5 arms 0.2 is 0.4 better).

    Source: Auer, Cesa-Bianchi & Fischer 2002, "Finite-time analysis of the multiarmed
    bandit problem", figure 1; the width as in Duan et al. 2016, "RL^2".
    """

    name: ClassVar[str] = "ucb1"
    summary: ClassVar[str] = "upper confidence bound, tuned width, as if stationary (Auer 2002)"
    width: ClassVar[float] = 0.1

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest bound, [N, K]."""
        return spread(best_arms(self.bound(stores))), stores

    def bound(self, stores: Stores) -> Array:
        """Upper confidence bound of every arm, infinite where it is untried, [N, K]."""
        successes = stores.state["successes"]
        pulls = successes + stores.state["failures"]
        t = np.maximum(pulls.sum(axis=1, keepdims=True), 1.0)
        tried = np.maximum(pulls, 1.0)
        bound = successes / tried + self.width * np.sqrt(2.0 * np.log(t) / tried)
        return np.where(pulls > 0, bound, np.inf)


class UntunedUCB1(UCB1):
    """UCB1 with the width 1 of the regret theorem, which explores too much at short horizons."""

    name: ClassVar[str] = "ucb1_untuned"
    summary: ClassVar[str] = "upper confidence bound, the theorem's width (Auer 2002)"
    width: ClassVar[float] = 1.0


class PriorUCB1(UCB1):
    """UCB1 that counts the prior as pulls, so that no arm needs to be tried first.

    The bound is the posterior mean + width sqrt(2 log(1 + t) / (n + a + b)).
    The UCB1 of Duan et al. 2016 must be near this one: with as many arms as trials it is far
    above random choice, which a policy that tries every arm first cannot be.

    Class attributes:
        width: 0.2, the best of six from 0.1 to 0.4 over 5, 10 and 50 arms at 100 pulls, on
            4,000 tasks of seed 1000 each.
    """

    name: ClassVar[str] = "ucb1_prior"
    summary: ClassVar[str] = "upper confidence bound from the Beta prior, tuned width"
    width: ClassVar[float] = 0.2

    def bound(self, stores: Stores) -> Array:
        """Upper confidence bound of every arm, [N, K]."""
        pulls = stores.state["successes"] + stores.state["failures"]
        t = pulls.sum(axis=1, keepdims=True)
        evidence = pulls + sum(self.prior)
        widths: Array = self.width * np.sqrt(2.0 * np.log1p(t) / evidence)
        return self.posterior_mean(stores) + widths
