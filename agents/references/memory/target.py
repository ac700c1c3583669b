"""The optimum of target discovery: the set of cues that may still be the target."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import EXACT, Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.references.memory.binding import fingerprint
from metalocus.agents.references.rewards import finite
from metalocus.envs import Family
from metalocus.envs.families.target_discovery import N_CUES, TargetDiscovery


class TargetMemory(ReferencePolicy):
    """Says yes if the target is more probably in the pair than not.

    Bayes-optimal: whether the answer was right tells, with either answer, whether the target was in
    the pair, so both are equally informative. The cues that may be the target are equally probable.

    The state is ``cue`` [N, 4], a 64-bit fingerprint of every cue seen so far, 0 where there is
    none; ``possible`` [N, 4], whether each may be the target; ``seen`` [N, 4], whether it
    was shown in this trial; and ``asked`` [N], whether the step that ``act`` has seen last
    asks. Feedback after which no cue is possible makes all possible again.

    Source: the rule follows from the task, that of Miconi et al. 2019, "Backpropamine".
    """

    name: ClassVar[str] = "target_memory"
    summary: ClassVar[str] = "cues that may still be the target; answers by majority: optimal"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, TargetDiscovery)  # why_not has refused all others
        self.cue_bits, self.together = family.cue_bits, family.together

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only target discovery can be played."""
        if isinstance(family, TargetDiscovery):
            return None
        return "it remembers the cues of TargetDiscovery alone"

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact: both answers are equally informative."""
        return EXACT

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No cue seen, and any may be the target."""
        every = np.ones((n, N_CUES), dtype=bool)
        cue = np.zeros((n, N_CUES), dtype=np.uint64)
        asked = np.zeros(n, dtype=bool)
        return Stores(state={"cue": cue, "possible": every, "seen": ~every, "asked": asked})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the answers of higher expected reward, [N, 2]."""
        cue, seen = stores.state["cue"].copy(), stores.state["seen"].copy()
        asked = np.ones(len(stimulus), bool) if self.together else stimulus[:, -1] > 0.5
        for shown in self._cues(stimulus):
            mark = fingerprint(shown)
            same = cue == mark[:, None]
            place = np.where(same.any(axis=1)[:, None], same, cue == 0).argmax(axis=1)
            rows = np.flatnonzero(shown.any(axis=1))
            cue[rows, place[rows]], seen[rows, place[rows]] = mark[rows], True
        state = {**stores.state, "cue": cue, "seen": seen, "asked": asked}
        stores = replace(stores, state=state)
        return spread(best_arms(self.values(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """The target is in the pair if yes was right or no was wrong."""
        seen, asked = stores.state["seen"], stores.state["asked"][:, None]
        among = (action == 1) == (finite(reward) > 0.0)
        possible = stores.state["possible"] & (seen == among[:, None])
        possible = possible | ~possible.any(axis=1, keepdims=True)
        possible = np.where(asked, possible, stores.state["possible"])
        return replace(stores, state={**stores.state, "possible": possible, "seen": seen & ~asked})

    def values(self, stores: Stores) -> Array:
        """Expected reward of either answer now, [N, 2]; later rewards are the same after both."""
        possible, seen = stores.state["possible"], stores.state["seen"]
        among = (possible & seen).sum(axis=1) / np.maximum(possible.sum(axis=1), 1)
        yes = np.where(stores.state["asked"], 2.0 * among - 1.0, 0.0)
        return np.stack([-yes, yes], axis=1)

    def _cues(self, stimulus: Array) -> list[Array]:
        """The cues that a stimulus has room for, each [N, B]; all zero where none is shown."""
        size = self.cue_bits
        if self.together:
            return [stimulus[:, :size], stimulus[:, size:]]
        return [stimulus[:, :size]]
