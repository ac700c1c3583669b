"""The exact optimum of the bandit with one informative arm."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import EXACT, Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.envs import Family
from metalocus.envs.families.informative_bandit import (
    N_TARGETS,
    OTHER_REWARD,
    TARGET_REWARD,
    UNIT,
    InformativeBandit,
)

_SETS = (np.arange(2**N_TARGETS)[:, None] >> np.arange(N_TARGETS)) & 1  # [1024, 10]
_SIZES = np.maximum(_SETS.sum(axis=1, keepdims=True), 1)


class InformativeOptimal(ReferencePolicy):
    """Maximises the expected total reward: dynamic programming over the possible targets.

    The state is ``possible`` [N, 10], whether each arm may still be the target, and
    ``left`` [N], the trials left. All that may be are equally probable. Rewards that leave
    no arm possible, which only an intervention can bring about, start it anew.

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
        """The informative bandit alone."""
        if isinstance(family, InformativeBandit):
            return None
        return "it plans over the targets of InformativeBandit"

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact."""
        return EXACT

    @property
    def optimal_return(self) -> float:
        """Expected total reward of an episode in which the target is not shown."""
        return float(self.plan[self.horizon, -1].max())

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Any arm may be the target."""
        possible = np.ones((n, N_TARGETS), dtype=bool)
        return Stores(state={"possible": possible, "left": np.full(n, self.horizon)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of greatest worth, [N, 11]."""
        if self.cued:
            stores = replace(stores, state={**stores.state, "possible": stimulus > 0.5})
        return spread(best_arms(self.values(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Keep the targets that would have given this reward."""
        arms, last = np.arange(N_TARGETS), action[:, None] == N_TARGETS
        told = np.abs(UNIT * (arms + 1) - reward[:, None]) < UNIT / 2.0
        rich = reward[:, None] > (TARGET_REWARD + OTHER_REWARD) / 2.0
        tried = (arms == action[:, None]) == rich
        fits = np.where(last, told | (not self.informative), tried)
        possible = stores.state["possible"] & fits
        possible = possible | ~possible.any(axis=1, keepdims=True)
        return replace(stores, state={"possible": possible, "left": stores.state["left"] - 1})

    def values(self, stores: Stores) -> Array:
        """Exact reward still to come if the arm is pulled next, [N, 11]."""
        left = np.clip(stores.state["left"], 0, self.horizon)
        which = stores.state["possible"] @ (1 << np.arange(N_TARGETS))
        values: Array = self.plan[left, which]
        return values

    def _plan(self) -> Array:
        """Worth of every arm by trials left and set of possible targets, [T + 1, 1024, 11].

        Sets are numbered by their bits; the empty one is never met.
        """
        plan = np.zeros((self.horizon + 1, len(_SETS), N_TARGETS + 1))
        chance = _SETS / _SIZES
        without = np.arange(len(_SETS))[:, None] & ~(1 << np.arange(N_TARGETS))
        poor = UNIT * (chance @ np.arange(1, N_TARGETS + 1))
        if not self.informative:
            poor = np.full_like(poor, UNIT * (N_TARGETS + 1) / 2.0)
        for left in range(1, self.horizon + 1):
            then = plan[left - 1].max(axis=1)
            known = TARGET_REWARD * (left - 1)
            hit, miss = TARGET_REWARD + known, OTHER_REWARD + then[without]
            plan[left, :, :-1] = chance * hit + (1.0 - chance) * miss
            plan[left, :, -1] = poor + (known if self.informative else then)
        return plan
