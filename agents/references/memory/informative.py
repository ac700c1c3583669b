"""The optimum of the bandit with one informative arm: plans over the targets still possible."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import (
    EXACT,
    Array,
    ReferencePolicy,
    Stores,
    best_arms,
    spread,
)
from metalocus.agents.references.rewards import finite
from metalocus.envs import Family
from metalocus.envs.families.informative_bandit import (
    N_TARGETS,
    OTHER_REWARD,
    TARGET_REWARD,
    UNIT,
    InformativeBandit,
)

_SETS = (np.arange(2**N_TARGETS)[:, None] >> np.arange(N_TARGETS)) & 1
"""Every set of targets by its number, whose bits are its members, [1024, 10]."""
_SIZES = np.maximum(_SETS.sum(axis=1, keepdims=True), 1)
"""Size of every set, [1024, 1]; 1 for the empty one, which is never met."""
SETTLED = 2 * N_TARGETS
"""Trials left from which the optimal choices no longer depend on them: all ten arms can have been
tried by then, so one more trial left adds one more target reward to every value."""


class InformativeOptimal(ReferencePolicy):
    """Maximises the expected total reward: dynamic programming over the possible targets.

    The state is ``possible`` [N, 10], whether each arm may still be the target, and
    ``left`` [N], the trials left. The possible ones are equally probable. Rewards after which
    no arm is possible, which only an intervention can bring about, make all possible again.

    Source: Bellman 1957, "Dynamic programming", chapter 3, on the task of Wang et al. 2016.
    """

    name: ClassVar[str] = "informative_optimal"
    summary: ClassVar[str] = "exact optimum of the informative bandit, over sets of targets"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, InformativeBandit)  # why_not has refused all others
        self.informative, self.cued = family.informative, family.cued
        self.horizon = family.horizon
        self.plan = self._plan()

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the informative bandit can be played."""
        if isinstance(family, InformativeBandit):
            return None
        return "it plans over the targets of InformativeBandit"

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact: dynamic programming over all sets of targets."""
        return EXACT

    @property
    def optimal_return(self) -> float:
        """Expected total reward of an episode in which the target is not shown."""
        return float(self._look_up(np.array([self.horizon]), np.array([-1])).max())

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Any arm may be the target, and all trials are left."""
        possible = np.ones((n, N_TARGETS), dtype=bool)
        return Stores(state={"possible": possible, "left": np.full(n, self.horizon)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest value, [N, 11]."""
        if self.cued:
            stores = replace(stores, state={**stores.state, "possible": stimulus > 0.5})
        return spread(best_arms(self.values(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Keep the targets that would have given this reward."""
        arms, last = np.arange(N_TARGETS), action[:, None] == N_TARGETS
        reward = finite(reward)[:, None]
        told = np.abs(UNIT * (arms + 1) - reward) < UNIT / 2.0
        rich = reward > (TARGET_REWARD + OTHER_REWARD) / 2.0
        tried = (arms == action[:, None]) == rich
        fits = np.where(last, told | (not self.informative), tried)
        possible = stores.state["possible"] & fits
        possible = possible | ~possible.any(axis=1, keepdims=True)
        return replace(stores, state={"possible": possible, "left": stores.state["left"] - 1})

    def values(self, stores: Stores) -> Array:
        """Exact reward still to come if the arm is pulled and play is optimal after, [N, 11]."""
        left = np.clip(stores.state["left"], 0, self.horizon)
        which = stores.state["possible"] @ (1 << np.arange(N_TARGETS))
        return self._look_up(left, which)

    def _look_up(self, left: Array, which: Array) -> Array:
        """Value of every arm by trials left and the number of a set, both [N] -> [N, 11]."""
        beyond = np.maximum(left - SETTLED, 0)
        values: Array = self.plan[left - beyond, which] + TARGET_REWARD * beyond[:, None]
        return values

    def _plan(self) -> Array:
        """Value of every arm by trials left, to 20, and set of possible targets, [21, 1024, 11]."""
        longest = min(self.horizon, SETTLED)
        plan = np.zeros((longest + 1, len(_SETS), N_TARGETS + 1))
        chance = _SETS / _SIZES
        without = np.arange(len(_SETS))[:, None] & ~(1 << np.arange(N_TARGETS))
        poor = UNIT * (chance @ np.arange(1, N_TARGETS + 1))
        if not self.informative:
            poor = np.full_like(poor, UNIT * (N_TARGETS + 1) / 2.0)
        # From the values with one trial fewer left.
        for left in range(1, longest + 1):
            then = plan[left - 1].max(axis=1)
            known = TARGET_REWARD * (left - 1)
            hit, miss = TARGET_REWARD + known, OTHER_REWARD + then[without]
            plan[left, :, :-1] = chance * hit + (1.0 - chance) * miss
            plan[left, :, -1] = poor + (known if self.informative else then)
        return plan
