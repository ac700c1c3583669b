"""Common random numbers, from a counter-based generator.

*Common random numbers* is the variance-reduction technique of giving the policies that are
compared the same random numbers (Law 2015, "Simulation modeling and analysis", section 11.2).
Two agents on the same seed get the same reward for the same action at the same trial,
whatever they did before.

The generator is *counter-based* (Salmon et al. 2011, "Parallel random numbers: as easy as
1, 2, 3"): each number is a pure function of its place (episode, stream, time, index), here
SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators")
evaluated at a counter instead of iterated. No number depends on which others were drawn, so
the single, vector and SB3 environments agree step for step, and the random state of an
episode is one 64-bit key.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metalocus.envs.checks import require_seed

Keys = NDArray[np.uint64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31)
_ONE = np.uint64(1)
_UNIT_BITS, _TO_UNIT = np.uint64(11), 2.0**-53
_INDEX_BITS = np.uint64(24)  # the other 40 bits of a counter are the time

LARGEST_NORMAL = 8.3
"""No number of :meth:`CommonRandomNumbers.normal` is greater in magnitude."""
MOST_INDICES = 2**24
"""Numbers of one stream at one time; further ones would be those of the next time."""


def mix(x: Keys) -> Keys:
    """Bijective 64-bit finaliser of SplitMix64, any shape (variant 13 of Stafford)."""
    z = x ^ (x >> _SHIFTS[0])
    z *= _MIX_1
    z ^= z >> _SHIFTS[1]
    z *= _MIX_2
    z ^= z >> _SHIFTS[2]
    return z


def episode_keys(seed_keys: Keys, episode: ArrayLike) -> Keys:
    """Key of the given episode number of each environment. seed_keys [N], episode [N] -> [N]."""
    number = np.array(episode, dtype=np.uint64, ndmin=1)
    return mix(seed_keys + (number + _ONE) * _GAMMA)


def seed_keys(seed: int, n: int) -> Keys:
    """One key for each of n environments; environment i is seeded with seed + i -> [n].

    This is Gymnasium's rule for vector environments: row i equals a single
    environment reset with ``seed + i``.

    Raises:
        InvalidTask: the seed is negative or no whole number.
    """
    first = require_seed("seed", seed)
    return np.array([_key_of(first + i) for i in range(n)], dtype=np.uint64)


@lru_cache(maxsize=2**16)
def _key_of(seed: int) -> int:
    """The key of a seed; kept, since agents that are compared play the same episodes."""
    return first_key(np.random.default_rng(seed))


def first_key(rng: np.random.Generator) -> int:
    """The key that an environment draws from its ``np_random`` when it is seeded."""
    return int(rng.integers(0, 2**63, dtype=np.uint64))


class CommonRandomNumbers:
    """The random numbers of a batch of episodes.

    Args:
        keys: one 64-bit key an episode, [N].
    """

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self._streams: dict[str, Keys] = {}

    def __len__(self) -> int:
        return len(self.keys)

    def stream(self, name: str) -> Keys:
        """Keys of one named, independent stream, [N]; a name has at most 8 ASCII characters."""
        if name not in self._streams:
            if len(name.encode()) > 8:
                raise ValueError(f"stream name {name!r} is longer than 8 characters")
            label = np.uint64(int.from_bytes(name.encode().ljust(8, b"\0"), "little"))
            self._streams[name] = mix(self.keys ^ mix(np.atleast_1d(label)))
        return self._streams[name]

    def bits(self, name: str, t: ArrayLike = 0, index: ArrayLike = 0) -> Keys:
        """Random 64-bit words; arguments and shapes as for :meth:`uniform`."""
        index = np.array(index, dtype=np.uint64, ndmin=1)
        counter = (np.array(t, dtype=np.uint64, ndmin=1) << _INDEX_BITS) + _ONE
        base = self.stream(name) + counter * _GAMMA
        return mix((base if index.ndim == 1 else base[:, None]) + index * _GAMMA)

    def uniform(self, name: str, t: ArrayLike = 0, index: ArrayLike = 0) -> NDArray[Any]:
        """Uniform numbers in [0, 1) at time t and index, [N] or [N, W].

        Args:
            name: the stream, as for :meth:`stream`.
            t: time below 2^40, a number or [N].
            index: which of the step's numbers, below ``MOST_INDICES``: a number, [N] (one for
                each episode), or [N, W] / [1, W] for several of each episode.
        """
        return (self.bits(name, t, index) >> _UNIT_BITS) * _TO_UNIT

    def normal(self, name: str, t: ArrayLike = 0, index: ArrayLike = 0) -> NDArray[Any]:
        """Standard normal numbers, by inversion of :meth:`uniform`; shapes as there."""
        from scipy.special import ndtri  # a slow import that most families do not need

        open_below = np.maximum(self.uniform(name, t, index), _TO_UNIT / 2)  # 0 has no inverse
        return np.asarray(ndtri(open_below))

    def select(self, rows: NDArray[Any]) -> CommonRandomNumbers:
        """The random numbers of some of the episodes."""
        return CommonRandomNumbers(self.keys[rows])
