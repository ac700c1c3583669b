"""The exact belief of the bandit whose coming rewards are shown, and greedy choice on it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import EXACT, NEAR, Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.references.bernoulli import plain
from metalocus.agents.references.bernoulli.quadrature import gauss_legendre
from metalocus.agents.references.rewards import rewarded
from metalocus.envs import Family
from metalocus.envs.families.shown_bandit import ShownBandit

LONGEST = 400
"""Trials: the quadrature has half as many nodes."""
MOST_ARMS = 1000
"""So that the densities of one episode take no more than 2 MB."""


class ShownFilter(ReferencePolicy):
    """Weighs what is shown by how honest it is, and learns the chances from it and from rewards.

    The belief on each arm's chance p is exact: a reward of the arm pulled has the likelihood p;
    what is shown of another arm, true with probability h, has p h + (1 - p) (1 - h). Greedy
    choice is Bayes-optimal where all rewards are always shown and their truth is certain (h is 0
    or 1), since every reward is known then, whatever is pulled. Where nothing is shown, or what
    is shown tells nothing, the policy is that of the plain bandit. Else it is near the optimum.

    The state is ``successes`` and ``failures`` [N, K] of pulls, ``said_yes`` and ``said_no``
    [N, K], how often each was said to pay, or not, while another was pulled; and ``shown``
    [N, 1 + K], the stimulus that ``act`` has seen last.

    Source: Bayes' rule; the posterior mean is exact by Gauss-Legendre quadrature of polynomials.
    """

    name: ClassVar[str] = "shown_filter"
    summary: ClassVar[str] = "exact belief from rewards and from what is shown, greedy choice"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, ShownBandit)  # why_not has refused all others
        self.honest, self.inner = family.honest, None
        if _is_plain(family):
            self.inner = plain.best_policy(family.n_arms, family.horizon)
        rule = gauss_legendre(family.horizon // 2 + 1)  # exact to degree horizon + 1
        says = rule.x * self.honest + rule.complement * (1.0 - self.honest)
        self.x, self.weights = rule.x, rule.weights
        with np.errstate(divide="ignore"):
            self.logs = np.log(np.stack([rule.x, rule.complement, says, 1.0 - says]))

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the bandit that shows rewards can be played, if it is not too large."""
        if not isinstance(family, ShownBandit):
            return "it reads the rewards that ShownBandit shows"
        if family.horizon > LONGEST or family.n_arms > MOST_ARMS:
            return f"it allows at most {LONGEST} trials and {MOST_ARMS} arms"
        return plain.why_none(family.n_arms, family.horizon) if _is_plain(family) else None

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact where every reward is known beforehand, and where a plain bandit's policy is."""
        assert isinstance(family, ShownBandit)  # why_not has refused all others
        if _is_plain(family):
            return plain.optimality(family.n_arms, family.horizon)
        return EXACT if family.shown == 1.0 and family.honest in (0.0, 1.0) else NEAR

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Nothing pulled and nothing said."""
        names = ("successes", "failures", "said_yes", "said_no")
        counts = {name: np.zeros((n, self.n_arms)) for name in names}
        return Stores(state={**counts, "shown": np.zeros((n, 1 + self.n_arms))})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest value, [N, K]."""
        stores = replace(stores, state={**stores.state, "shown": stimulus.astype(float)})
        if self.inner is not None:
            return self.inner.act(stimulus, stores)[0], stores
        return spread(best_arms(self._now(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Count the reward of the arm pulled, and what was said of the others."""
        state, pulled = stores.state, np.arange(self.n_arms) == action[:, None]
        won, yes = rewarded(reward)[:, None], stimulus[:, 1:] > 0.5
        told = ~pulled & (stimulus[:, :1] > 0.5)
        more = {
            "successes": state["successes"] + (pulled & won),
            "failures": state["failures"] + (pulled & ~won),
            "said_yes": state["said_yes"] + (told & yes),
            "said_no": state["said_no"] + (told & ~yes),
        }
        return replace(stores, state={**state, **more})

    def chance(self, stores: Stores) -> Array:
        """Posterior mean of every arm's chance, what is shown of the coming trial aside, [N, K]."""
        log_density = np.zeros((len(stores.state["shown"]), self.n_arms, len(self.x)))
        names = ("successes", "failures", "said_yes", "said_no")
        for name, log in zip(names, self.logs, strict=True):
            log_density += stores.state[name][:, :, None] * log
        log_density -= log_density.max(axis=2, keepdims=True)
        density = np.exp(log_density) * self.weights
        mean: Array = (density @ self.x) / density.sum(axis=2)
        return mean

    def values(self, stores: Stores) -> Array | None:
        """Expected reward of every arm now, [N, K]; where all is hidden, the plain policy's."""
        return self._now(stores) if self.inner is None else self.inner.values(stores)

    def _now(self, stores: Stores) -> Array:
        """Expected reward of every arm now, given what is shown of it, [N, K]."""
        chance, shown = self.chance(stores), stores.state["shown"]
        true = np.where(shown[:, 1:] > 0.5, self.honest, 1.0 - self.honest)
        pays, not_pays = chance * true, (1.0 - chance) * (1.0 - true)
        given: Array = np.where(shown[:, :1] > 0.5, pays / (pays + not_pays), chance)
        return given


def _is_plain(family: ShownBandit) -> bool:
    """Whether what is shown tells nothing."""
    return family.shown == 0.0 or family.honest == 0.5
