"""The optimum of the Harlow task: win-stay, lose-shift on the object."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import EXACT, Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.references.rewards import rewarded
from metalocus.envs import Family
from metalocus.envs.families.harlow import Harlow


class HarlowMemory(ReferencePolicy):
    """Remembers one of the two objects and whether it is the one that pays.

    If p is 1, it stays with the object that won or leaves the one that lost, on whichever side
    they are. For other p it counts. A win of the object and a loss of the other are equally
    strong evidence for it, so the difference of the counts is a sufficient statistic, both
    choices are equally informative, and greedy choice is Bayes-optimal.

    The context is ``object`` [N, F], the object remembered (the left one of the last trial
    without evidence). The state is ``evidence`` [N], the number of trials that are evidence for
    it minus that of trials against it, and ``right`` [N], 1 where it is on the right. If the
    task is ``fixed``, the object that pays is known from the start.

    Source: Harlow 1949, "The formation of learning sets"; win-stay, lose-shift on objects,
    Levine 1959, "A model of hypothesis behavior in discrimination learning set".
    """

    name: ClassVar[str] = "harlow_memory"
    summary: ClassVar[str] = "win-stay, lose-shift on the object; counts if p < 1; Bayes-optimal"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, Harlow)  # why_not has refused all others
        self.p, self.size = family.p, family.object_size
        self.known, self.fixed = np.zeros(self.size, np.float32), family.fixed
        if family.fixed:
            self.known = family.fixed_objects[0]

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the Harlow task can be played."""
        return None if isinstance(family, Harlow) else "it remembers an object, which Harlow shows"

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact: both choices are equally informative."""
        return EXACT

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No evidence about any object, unless they are fixed."""
        known = self.fixed * (1 if self.p > 0.5 else -1)
        evidence = np.full(n, known, dtype=np.int64)
        state = {"evidence": evidence, "right": np.zeros(n, dtype=np.int64)}
        return Stores(state=state, context={"object": np.tile(self.known, (n, 1))})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the sides of higher expected reward, [N, 2]."""
        left, right = stimulus[:, : self.size], stimulus[:, self.size :]
        new = (stores.state["evidence"] == 0)[:, None]
        item = np.where(new, left, stores.context["object"])
        apart = [np.abs(shown - item).sum(axis=1) for shown in (left, right)]
        side = (apart[1] < apart[0]).astype(np.int64)
        stores = replace(stores, state={**stores.state, "right": side}, context={"object": item})
        return spread(best_arms(self.values(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """A win of the object or a loss of the other is evidence for it."""
        evidence, right = stores.state["evidence"], stores.state["right"]
        supports = (action == right) == rewarded(reward)
        after = evidence if self.fixed else evidence + np.where(supports, 1, -1)
        return replace(stores, state={"evidence": after, "right": right})

    def values(self, stores: Stores) -> Array:
        """Expected reward of either side now, [N, 2]; later rewards are left out."""
        evidence, right = stores.state["evidence"], stores.state["right"]
        better, worse = max(self.p, 1.0 - self.p), min(self.p, 1.0 - self.p)
        odds = (worse / better) ** np.abs(evidence) * (not self.fixed)
        sure = 1.0 / (1.0 + odds)  # that the object with more evidence pays
        favoured = (sure * better + (1.0 - sure) * worse)[:, None]
        side = np.where(evidence >= 0, right, 1 - right)
        values: Array = np.where(np.arange(2) == side[:, None], favoured, 1.0 - favoured)
        return values
