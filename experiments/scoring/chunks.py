"""Many episodes, played a chunk at a time, so that memory does not grow with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from metalocus.agents.agent import Agent, NonFinite
from metalocus.agents.rollout import fresh_episodes
from metalocus.envs import Episodes, InvalidTask, Setting
from metalocus.envs.checks import require_count, require_seed

CHUNK = 2000
"""Episodes played at once. Enough to make NumPy's overhead small; an LSTM's take some 20 MB."""
MOST_EPISODES = 10_000_000
"""Their returns take 80 MB, and their mean is known to 1/3,000 of the spread of one."""


@dataclass(frozen=True)
class Chunk:
    """Some of the fresh episodes of a setting.

    Attributes:
        setting: what is played.
        seed: of the episodes.
        first: number of its first episode.
        n: how many episodes.
    """

    setting: Setting
    seed: int
    first: int
    n: int

    def episodes(self) -> Episodes:
        """The episodes at their first trial; every call gives the same ones anew."""
        return fresh_episodes(self.setting, self.n, self.seed, first=self.first)

    @property
    def start_seed(self) -> int:
        """Seed of the chance that an agent takes at the start of these episodes."""
        return self.seed + self.first


class Chunks:
    """Fresh episodes of a setting in chunks of nearly equal size, at most ``CHUNK``.

    Each episode is the same whatever their number.

    Args:
        setting: what is played.
        episodes: how many.
        seed: of the episodes.

    Raises:
        InvalidTask: a number is out of range.
    """

    def __init__(self, setting: Setting, episodes: int, seed: int) -> None:
        self.setting = setting
        self.n = require_episodes(episodes)
        self.seed = require_seed("seed", seed)

    def __iter__(self) -> Iterator[Chunk]:
        count = -(-self.n // CHUNK)
        ends = [self.n * (i + 1) // count for i in range(count)]
        for first, end in pairwise([0, *ends]):
            yield Chunk(self.setting, self.seed, first, end - first)
            told = _WATCHER.get()
            if told is not None:
                told(end - first)


_WATCHER: ContextVar[Callable[[int], None] | None] = ContextVar("watcher", default=None)


@contextmanager
def watched(report: Callable[[int], None]) -> Iterator[None]:
    """Report every chunk that was gone through meanwhile, by its number of episodes."""
    before = _WATCHER.set(report)
    try:
        yield
    finally:
        _WATCHER.reset(before)


def require_episodes(episodes: Any) -> int:
    """A number of episodes as an int.

    Raises:
        InvalidTask: fewer than 2, which have no interval, or more than ``MOST_EPISODES``.
    """
    n = require_count("episodes", episodes, 2)
    if n > MOST_EPISODES:
        raise InvalidTask(
            f"episodes must be at most {MOST_EPISODES:,}, got {n:,}: their returns alone would "
            f"take {8 * n / 1e9:,.1f} GB"
        )
    return n


@contextmanager
def named(agent: Agent, setting: Setting) -> Iterator[None]:
    """Add the agent and the setting to the message of a :class:`NonFinite` raised inside."""
    try:
        yield
    except NonFinite as error:
        name = getattr(agent, "name", type(agent).__name__)
        raise NonFinite(f"{name} on {setting}: {error}") from error
