"""Posterior counts: successes and failures of every arm, and tables over them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from metalocus.agents.agent import Array, NonFinite, ReferencePolicy, Stores
from metalocus.agents.references.rewards import finite
from metalocus.envs import Family
from metalocus.envs.families.bernoulli_bandit import BernoulliBandit
from metalocus.envs.families.reversal_bandit import ReversalBandit

Prior = tuple[float, float]
"""Parameters (a, b) of a Beta distribution."""


class CountingPolicy(ReferencePolicy):
    """Counts the successes and failures of every arm; the belief is one Beta posterior an arm.

    The state holds ``successes`` and ``failures``, both [N, K]. Under a dependent prior
    (p2 = 1 - p1) the arms are treated as independent and uniform, as Thompson sampling,
    UCB and Gittins are in Wang et al. 2016; on the reversal task, as stationary too.

    Attributes:
        prior: Beta parameters (a, b) of every arm.
    """

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.prior = beta_prior(family)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only Bernoulli and reversal bandits can be played: actions are arms, rewards 0 or 1."""
        if isinstance(family, BernoulliBandit | ReversalBandit):
            return None
        return "it knows Bernoulli and reversal bandits alone"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No pulls yet."""
        empty = np.zeros((n, self.n_arms))
        return Stores(state={"successes": empty, "failures": empty.copy()})

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the pull to the counts of its arm."""
        pulled = np.arange(self.n_arms) == action[:, None]
        paid = pulled * finite(reward)[:, None]
        successes = stores.state["successes"] + paid
        failures = stores.state["failures"] + pulled - paid
        return replace(stores, state={"successes": successes, "failures": failures})

    def posterior_mean(self, stores: Stores) -> Array:
        """Expected reward of every arm, [N, K]."""
        successes, failures = stores.state["successes"], stores.state["failures"]
        return mean_reward(successes, failures, self.prior)


def beta_prior(family: Family) -> Prior:
    """Parameters of an independent Beta prior of the family's arms; uniform if it has none."""
    return getattr(family, "beta", None) or (1.0, 1.0)


def mean_reward(successes: Array, failures: Array, prior: Prior) -> Array:
    """Posterior mean of a Bernoulli arm, elementwise."""
    a, b = prior
    mean: Array = (successes + a) / (successes + failures + a + b)
    return mean


def triangle(pulls: int) -> tuple[Array, Array]:
    """Successes and failures of every possible arm of at most that many pulls, each [C].

    Ordered by pulls, then by successes: an arm of n pulls and s successes stands at
    n (n + 1) / 2 + s; one failure takes it n + 1 places on, one success n + 2.
    """
    n = np.repeat(np.arange(pulls + 1), np.arange(1, pulls + 2))
    successes = np.arange(len(n)) - n * (n + 1) // 2
    return successes, n - successes


def cell(successes: Array, failures: Array, pulls: int) -> Array:
    """Place in ``triangle(pulls)``, elementwise.

    Counts that only an intervention on the stores can make, fractions or beyond the table,
    are read as the nearest ones in it.

    Raises:
        NonFinite: a count is NaN or infinite.
    """
    if not (np.isfinite(successes).all() and np.isfinite(failures).all()):
        raise NonFinite("the counts of successes and failures are not finite")
    s = np.clip(np.rint(successes), 0, pulls).astype(np.int64)
    f = np.clip(np.rint(failures), 0, pulls - s).astype(np.int64)
    n = s + f
    place: Array = n * (n + 1) // 2 + s
    return place
