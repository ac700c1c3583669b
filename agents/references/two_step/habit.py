"""A habit of the two-step task that looks like planning: reward as a cue."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy, Stores, one_hot
from metalocus.agents.references.rewards import rewarded
from metalocus.envs import Family
from metalocus.envs.families.two_step import FIRST, TwoStep

NO_CUE = -1
"""Stands for the last trial before there is one."""


class RewardAsCue(ReferencePolicy):
    """A fixed table of four entries, from what the last trial brought to the next first action.

    Rewarded in a state, it takes the action that commonly leads there; unrewarded, the other one.
    It neither knows nor learns transitions or values, and shows the interaction of reward and
    transition that is read as planning. The second choice is uniformly random. The context is
    ``cue`` [N], the first action that the last trial calls for, -1 before there is one.

    Source: Akam et al. 2015, "Simple plans or sophisticated habits?", the reward-as-cue strategy.
    """

    name: ClassVar[str] = "reward_as_cue"
    summary: ClassVar[str] = (
        "two-step: a habit of four entries that looks like planning (Akam 2015)"
    )

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the two-step task can be played."""
        return None if isinstance(family, TwoStep) else "its two stages are those of TwoStep"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No last trial."""
        return Stores(context={"cue": np.full(n, NO_CUE)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The first action that is called for, [N, 2]; uniform before there is one, and second."""
        cue = stores.context["cue"]
        called_for = (stimulus.argmax(axis=1) == FIRST) & (cue != NO_CUE)
        probs = np.where(called_for[:, None], one_hot(np.maximum(cue, 0), 2), 0.5)
        return probs, stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """After a second action, look up what its state and reward call for."""
        place = stimulus.argmax(axis=1)
        reached = np.maximum(place, 1) - 1
        calls_for = np.where(rewarded(reward), reached, 1 - reached)
        cue = np.where(place == FIRST, stores.context["cue"], calls_for)
        return replace(stores, context={"cue": cue})
