"""Repeating the last choice, whatever it paid."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy, Stores
from metalocus.agents.references.generic.policies import NO_ACTION


class Perseveration(ReferencePolicy):
    """Repeats its last choice with probability .8, else takes any arm; rewards play no part.

    The last choice is in the context: ``action`` [N], -1 before the first.

    Class attributes:
        repeat: probability of repetition on purpose; a convention, since nothing can be earned.

    Source: the one-trial choice kernel of Wilson & Collins 2019, "Ten simple rules for the
    computational modeling of behavioral data".
    """

    name: ClassVar[str] = "perseveration"
    summary: ClassVar[str] = "repeats its last choice four times in five, whatever it paid"
    repeat: ClassVar[float] = 0.8

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No choice yet."""
        return Stores(context={"action": np.full(n, NO_ACTION)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The last arm with probability .8, and the rest spread evenly over all, [N, K]."""
        last = stores.context["action"][:, None]
        repeat = np.where(last == NO_ACTION, 0.0, self.repeat)
        return repeat * (np.arange(self.n_arms) == last) + (1.0 - repeat) / self.n_arms, stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Keep the choice."""
        return replace(stores, context={"action": action.copy()})
