"""Controls whose choice improves when an observation is repeated, and that compute nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores, best_arms, one_hot, spread
from metalocus.agents.controls.counting import Counting

SHARPER = 1.5
"""Factor of the log-odds for every further act on an observation."""


class Ticking(Counting):
    """Counts in its state, where it also counts its acts: ``acts`` [N]."""

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """An empty table, no act."""
        return Stores(state={"table": self.empty(n), "acts": np.zeros(n)})

    def table(self, stores: Stores) -> Array:
        """The table in the state, [N, K, 2]."""
        return stores.state["table"]

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to the state."""
        table = stores.state["table"] + self.evidence(action, reward)
        return replace(stores, state={**stores.state, "table": table})

    def means(self, stores: Stores) -> Array:
        """Posterior mean of every arm, [N, K]."""
        counts = self.table(stores)
        means: Array = (1.0 + counts[..., 0]) / (2.0 + counts.sum(axis=2))
        return means

    def ticked(self, stores: Stores) -> Stores:
        """One more act."""
        return replace(stores, state={**stores.state, "acts": stores.state["acts"] + 1.0})


class Clocked(Ticking):
    """Pulls the arms in turn for two thirds of its acts, then the arm of highest posterior mean.

    An observation that is repeated brings the end of exploring nearer.
    """

    name: ClassVar[str] = "clocked"
    summary: ClassVar[str] = "control: explores by the clock, which every act moves on"
    known_shares = {}

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """An arm in turn, or the best ones, [N, K]."""
        acts = stores.state["acts"]
        in_turn = one_hot(acts.astype(np.int64) % self.n_arms, self.n_arms)
        exploring = acts < 2.0 / 3.0 * self.family.horizon
        probs = np.where(exploring[:, None], in_turn, spread(best_arms(self.means(stores))))
        return probs, self.ticked(stores)


class ClockedApart(Clocked):
    """As :class:`Clocked`, its clock beginning at another number in every episode."""

    name: ClassVar[str] = "clocked_apart"
    summary: ClassVar[str] = "control: explores by a clock that begins elsewhere in each episode"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """An empty table; the clock as it begins, and the same number to compare it with."""
        begin = rng.integers(1000, size=n).astype(float)
        return Stores(state={"table": self.empty(n), "acts": begin, "begin": begin})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """As a clock from 0 says, [N, K]."""
        state = stores.state
        since = replace(stores, state={**state, "acts": state["acts"] - state["begin"]})
        return super().act(stimulus, since)[0], self.ticked(stores)


class Sharpening(Ticking):
    """Chooses by the softmax of its posterior means, which every act on an observation sharpens."""

    name: ClassVar[str] = "sharpening"
    summary: ClassVar[str] = "control: its choice gets more certain with every act, not better"
    known_shares = {}

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Softmax of the means, [N, K]."""
        means = self.means(stores)
        sharpness = SHARPER ** stores.state["acts"]
        logits = sharpness[:, None] * (means - means.max(axis=1, keepdims=True))
        odds = np.exp(logits)
        return odds / odds.sum(axis=1, keepdims=True), self.ticked(stores)

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence; as blunt as at first."""
        after = super().learn(stores, stimulus, action, reward)
        return replace(after, state={**after.state, "acts": np.zeros(len(action))})
