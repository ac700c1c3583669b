"""Controls whose errors go together as much as is known: they lapse where their history says.

When one lapses follows from its history by a hash. So nothing makes the optimum hard to find
where it errs, and two of them that have seen the same lapse together no more than they are made to.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.beliefs import LikeBest
from metalocus.envs.common_random_numbers import mix

RATE = 0.2
"""Of trials with a lapse: many, so that few episodes tell their correlation."""
HISTORY = "history"
COMMON, CHOICE = 0, 99
"""Streams of chance: the one that all share, and the one that says where they use it."""


class LapsesOne(LikeBest):
    """The best reference of a task; on a fifth of the trials it chooses any action.

    Its lapses have nothing to do with those of :class:`LapsesTwo` and :class:`LapsesThree`.

    Class attributes:
        stream: of chance that is its own.
        common: fraction of trials at which it lapses if all others of its kind do.
    """

    name: ClassVar[str] = "lapses_one"
    summary: ClassVar[str] = "control: the best reference with lapses of its own"
    stream: ClassVar[int] = 1
    common: ClassVar[float] = 0.0

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The reference's stores, and a hash of the empty history."""
        return _with(super().start(n, rng), np.zeros(n, dtype=np.uint64))

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The reference's choice, or any, [N, K]."""
        probs, after = self.reference.act(stimulus, stores.without(HISTORY))
        probs = np.where(self.lapses(stores)[:, None], 1.0 / self.n_arms, probs)
        return probs, _with(after, stores.state[HISTORY])

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """The reference's step, and a hash of one trial more."""
        after = super().learn(stores.without(HISTORY), stimulus, action, reward)
        won = self.reward_fraction(reward) > 0.5
        told = np.uint64(2) * action.astype(np.uint64) + won.astype(np.uint64)
        return _with(after, mix(stores.state[HISTORY] + told + np.uint64(1)))

    def lapses(self, stores: Stores) -> Array:
        """Whether it lapses now, [N]."""
        together = _uniform(stores, CHOICE) < self.common
        own, shared = (_uniform(stores, stream) < RATE for stream in (self.stream, COMMON))
        return np.where(together, shared, own)


class LapsesTwo(LapsesOne):
    """As the first, with lapses that have nothing to do with its."""

    name: ClassVar[str] = "lapses_two"
    summary: ClassVar[str] = "control: the best reference with lapses, not those of lapses_one"
    stream: ClassVar[int] = 2


class LapsesThree(LapsesOne):
    """As the first two, with lapses that have nothing to do with theirs."""

    name: ClassVar[str] = "lapses_three"
    summary: ClassVar[str] = "control: the best reference with lapses, not those of the other two"
    stream: ClassVar[int] = 3


class HalfCommonOne(LapsesOne):
    """On half of the trials it lapses where :class:`HalfCommonTwo` does: a correlation of 1/2."""

    name: ClassVar[str] = "half_common_one"
    summary: ClassVar[str] = "control: the best reference, half of whose lapses others share"
    common: ClassVar[float] = 0.5


class HalfCommonTwo(HalfCommonOne):
    """The other one."""

    name: ClassVar[str] = "half_common_two"
    summary: ClassVar[str] = "control: as half_common_one, half of whose lapses it shares"
    stream: ClassVar[int] = 2


def _with(stores: Stores, history: Array) -> Stores:
    """The reference's stores and the hash."""
    return stores.updated(Stores(state={HISTORY: history}))


def _uniform(stores: Stores, stream: int) -> Array:
    """A number from 0 to 1 for every history, [N]."""
    salt = mix(np.array([stream + 1], dtype=np.uint64))
    found: Array = (mix(stores.state[HISTORY] ^ salt) >> np.uint64(11)) * 2.0**-53
    return found
