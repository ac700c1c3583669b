"""A store squeezed at every trial: its numbers to a few levels each, or to few directions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from metalocus.agents.agent import Agent, Array, Store, Stores
from metalocus.agents.rollout import (
    TUNING_SEED,
    Transition,
    Trial,
    act,
    fresh_episodes,
    rollout,
)
from metalocus.envs import Setting
from metalocus.experiments.instruments.regression import principal

FIT_EPISODES = 200
"""On which ranges, means and directions are found, of other seeds than the reported ones."""
FIT_TRIALS = 24
"""At most as many trials are kept of them, evenly over the episode."""
NUDGED_TRIALS, NUDGED = 4, 8
"""Trials, and episodes at each of them, at which numbers are nudged to see their use."""
MOST_NUDGED = 256
"""Numbers that are nudged one by one; of a larger store its principal directions are."""
LAGS = (0, 2, 8, 30)
"""Trials later at which the choice is read: some numbers only tell how others are to change."""
MOST = 128
"""Principal directions: all of an LSTM's of 64 units."""
BY_USE, BY_VARIANCE = "by use", "by variance"
Intervention = Callable[[int, Stores], Stores]


class Numbers:
    """The real numbers of one store as one vector.

    Args:
        name: of the store.
        store: one of the agent's.
    """

    def __init__(self, name: str, store: Store) -> None:
        self.name = name
        self.shapes = {k: a.shape[1:] for k, a in store.items() if a.dtype.kind == "f"}
        sizes = [int(np.prod(shape)) for shape in self.shapes.values()]
        self.ends, self.size = np.cumsum(sizes)[:-1], sum(sizes)

    def of(self, stores: Stores) -> Array:
        """The numbers, [N, D]."""
        store: Store = getattr(stores, self.name)
        parts = [store[key].reshape(len(store[key]), -1) for key in self.shapes]
        numbers: Array = np.concatenate(parts, axis=1).astype(np.float64)
        return numbers

    def put(self, stores: Stores, numbers: Array) -> Stores:
        """The stores with other numbers, [N, D]."""
        store = dict(getattr(stores, self.name))
        for (key, shape), part in zip(
            self.shapes.items(), np.split(numbers, self.ends, axis=1), strict=True
        ):
            store[key] = part.reshape(len(numbers), *shape).astype(store[key].dtype)
        return replace(stores, **{self.name: store})


@dataclass(frozen=True)
class Squeezed:
    """What is known of a store's numbers from other episodes.

    Attributes:
        numbers: of the store.
        low, high: the range that each number has been in, at whatever trial, [D].
        means: by trial, [T, D].
        directions: principal ones in units of each array's spread, [D, W], and standard
            deviations along them, [W].
        unit: of each number, [D].
        orders: orthonormal directions [W, W] of the uncorrelated numbers of unit variance, the
            first ones first, by name.
    """

    numbers: Numbers
    low: Array
    high: Array
    means: Array
    directions: Array
    spread: Array
    unit: Array
    orders: dict[str, Array]

    def to_bits(self, bits: int) -> Intervention:
        """Every number at the nearest of 2 ** bits levels, evenly from its least to its most."""
        steps = 2**bits - 1
        step = np.maximum(self.high - self.low, np.finfo(float).tiny) / steps

        def squeeze(_t: int, stores: Stores) -> Stores:
            inside = np.clip(self.numbers.of(stores), self.low, self.high)
            levels = np.rint((inside - self.low) / step)
            return self.numbers.put(stores, self.low + levels * step)

        return squeeze

    def to_rank(self, order: str, rank: int) -> Intervention:
        """The numbers that are best foretold from their first directions, within their range.

        With u uncorrelated numbers of unit variance and R the directions, u becomes R R' u: every
        number becomes its linear regression on R' u.
        """
        kept = self.orders[order][:, :rank]
        read = (self.directions / self.spread @ kept) / self.unit[:, None]
        written = (self.directions * self.spread @ kept).T * self.unit

        def squeeze(t: int, stores: Stores) -> Stores:
            back = (self.numbers.of(stores) - self.means[t]) @ read @ written
            return self.numbers.put(stores, np.clip(self.means[t] + back, self.low, self.high))

        return squeeze


def find(agent: Agent, setting: Setting, seed: int, names: Sequence[str]) -> dict[str, Squeezed]:
    """What is known of some stores, from other episodes than those of a seed."""
    watch, seed = _Watch(agent, setting.family.horizon, names), TUNING_SEED + seed
    rollout(agent, fresh_episodes(setting.whole(), FIT_EPISODES, seed), seed, observe=watch)
    return {name: watch.squeezed(name) for name in names}


class _Watch:
    """Observer that keeps what is carried, and the history of some episodes."""

    def __init__(self, agent: Agent, horizon: int, names: Sequence[str]) -> None:
        self.agent = agent
        start = agent.start(1, np.random.default_rng(0))
        self.numbers = {name: Numbers(name, getattr(start, name)) for name in names}
        self.trials, self.nudged = (_spaced(horizon, n) for n in (FIT_TRIALS, NUDGED_TRIALS))
        self.low: dict[str, Array] = {}
        self.high: dict[str, Array] = {}
        self.means: dict[str, list[Array]] = {name: [] for name in names}
        self.kept: dict[str, list[Array]] = {name: [] for name in names}
        self.shown: list[Array] = []
        self.last: list[Transition | None] = []
        self.stores: dict[int, Stores] = {}

    def __call__(self, trial: Trial) -> None:
        self.shown.append(trial.shown[:NUDGED])
        self.last.append(trial.last)
        if trial.t in self.nudged:
            self.stores[trial.t] = trial.stores.rows(np.arange(min(NUDGED, len(trial.probs))))
        for name, numbers in self.numbers.items():
            now = numbers.of(trial.stores)
            low, high = now.min(axis=0), now.max(axis=0)
            self.low[name] = np.minimum(self.low.get(name, low), low)
            self.high[name] = np.maximum(self.high.get(name, high), high)
            self.means[name].append(now.mean(axis=0))
            if trial.t in self.trials:
                self.kept[name].append(now - now.mean(axis=0))

    def squeezed(self, name: str) -> Squeezed:
        """All that is known of a store."""
        rows = np.concatenate(self.kept[name])
        unit = self._units(name, rows)
        directions, spread = principal(rows / unit, MOST)
        return Squeezed(
            self.numbers[name],
            self.low[name],
            self.high[name],
            np.stack(self.means[name]),
            directions,
            spread,
            unit,
            {
                BY_USE: self._by_use(name, rows.std(axis=0), (directions * spread).T * unit),
                BY_VARIANCE: np.eye(len(spread)),
            },
        )

    def _units(self, name: str, rows: Array) -> Array:
        """The root mean square of each array's numbers, [D], so that none outweighs the others."""
        parts = np.split(rows, self.numbers[name].ends, axis=1)
        sizes = [np.full(part.shape[1], np.sqrt((part**2).mean())) for part in parts]
        found: Array = np.concatenate(sizes)
        found[found == 0.0] = 1.0
        return found

    def _by_use(self, name: str, sizes: Array, steps: Array) -> Array:
        """Directions in the order of their effect on the choice now and later, [W, W].

        With J [K] the change of the probabilities by one standard deviation along each direction,
        these are the eigenvectors of the mean of J J' over trials, episodes and ``LAGS`` (active
        subspaces: Constantine 2015), the history being replayed. A number that nothing reads
        changes nothing, however large. Numbers are nudged one by one and their effects taken to
        the directions, linearly.

        Args:
            name: of the store.
            sizes: standard deviations of the numbers, [D].
            steps: of one standard deviation along the directions, [W, D].
        """
        moving = np.flatnonzero(sizes > 0.0)
        alone = len(moving) <= MOST_NUDGED
        nudges = np.diag(sizes)[moving] if alone else steps
        effect = np.zeros((len(nudges), len(nudges)))
        for t in self.nudged if len(nudges) else ():
            for change in self._changes(t, self.numbers[name], nudges):
                effect += change @ change.T
        if alone:
            parts = steps[:, moving] / sizes[moving]
            effect = parts @ effect @ parts.T
        found: Array = np.linalg.eigh(effect)[1][:, ::-1]
        return found

    def _changes(self, t: int, numbers: Numbers, nudges: Array) -> Iterator[Array]:
        """Changes of the probabilities by nudges [M, D] at trial t, by lag, [M, N K]."""
        n, m = len(self.shown[t]), len(nudges)
        rows = np.tile(np.arange(n), m + 1)
        many = self.stores[t].rows(rows)
        moved = numbers.of(many)
        moved[n:] += np.repeat(nudges, n, axis=0)
        for probs in self._replayed(t, rows, numbers.put(many, moved)):
            each = probs.reshape(m + 1, -1)
            yield each[1:] - each[:1]

    def _replayed(self, t: int, rows: Array, stores: Stores) -> Iterator[Array]:
        """Action probabilities [M, K] at the ``LAGS`` after trial t, from M rows of stores."""
        agent = copy.deepcopy(self.agent)
        agent.start(len(rows), np.random.default_rng(0))  # for what it may hide
        for at in range(t, min(t + LAGS[-1] + 1, len(self.shown))):
            probs, after = act(agent, at, self.shown[at][rows], stores)
            if at - t in LAGS:
                yield probs
            if at + 1 < len(self.shown):
                told = self.last[at + 1]
                assert told is not None
                action, reward = told.action[rows], told.reward[rows]
                stores = agent.learn(after, self.shown[at][rows], action, reward)


def _spaced(horizon: int, n: int) -> list[int]:
    """At most n trials, evenly over the episode."""
    return sorted(set(np.linspace(0, horizon - 1, n).round().astype(int).tolist()))
