"""Controls of known capacity: one that needs three bits, and one that needs few of its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import Control
from metalocus.agents.controls.one_store import CountsInState
from metalocus.envs import Family

BITS = 3
"""Of the level that is carried: steps 0 to 7."""
INERT = 40
"""Numbers that nothing reads."""
LARGE = 1000.0
"""Their size, where a count is at most the number of trials."""
_SEED = 0


class ThreeBits(Control):
    """Climbs up and down eight steps, and pulls the first arm on the upper four.

    A win on the first arm and a loss on the second one are a step up, the others a step down; at
    either end it stays. So all that it carries is a number of three bits: eight levels, evenly
    spaced, hold it exactly, and between four of them it cannot move.
    """

    name: ClassVar[str] = "three_bits"
    summary: ClassVar[str] = "control: carries a level of three bits (two arms)"
    known_shares: ClassVar[Mapping[str, float]] = {"state": 1.0, "weights": 0.0, "context": 0.0}

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only two arms can be told apart by up and down."""
        return None if family.n_arms == 2 else "its level is between two arms"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The lowest level at which the first arm is pulled, [N]."""
        return Stores(state={"level": np.full(n, 2.0 ** (BITS - 1))})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The arm of the half that the level is in, [N, 2]."""
        first = stores.state["level"] > (2**BITS - 1) / 2
        return np.stack([first, ~first], axis=1).astype(float), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """A step."""
        outcome = np.sign(self.reward_fraction(reward) - 0.5)  # 1 won, -1 lost
        level = stores.state["level"] + np.where(action == 0, outcome, -outcome)
        return replace(stores, state={"level": np.clip(level, 0.0, 2**BITS - 1)})


class CountsAmongInert(CountsInState):
    """Counts wins and losses in its state, beside many large numbers that nothing reads.

    These are x' = 1000 sin(A x / 1000 + b_a + c r) for action a and reward r, with a random A so
    large that they are chaotic: they differ from episode to episode, in every direction, and are
    almost all of the state's variance.
    """

    name: ClassVar[str] = "counts_among_inert"
    summary: ClassVar[str] = "control: counts in its state, beside large numbers that nothing reads"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        rng = np.random.default_rng(_SEED)
        self.mixed = 4.0 * rng.normal(size=(INERT, INERT)) / np.sqrt(INERT)
        self.of_action = rng.uniform(0.0, 2.0 * np.pi, (self.n_arms, INERT))
        self.of_reward = rng.uniform(0.0, 2.0 * np.pi, INERT)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """An empty table, and the numbers at 0."""
        return Stores(state={**super().start(n, rng).state, "inert": np.zeros((n, INERT))})

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to the table; move the other numbers on."""
        counted = super().learn(stores, stimulus, action, reward).state
        inert = stores.state["inert"] / LARGE
        angle = inert @ self.mixed + self.of_action[action] + reward[:, None] * self.of_reward
        return replace(stores, state={**counted, "inert": LARGE * np.sin(angle)})
