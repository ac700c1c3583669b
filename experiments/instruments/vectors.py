"""Stores as vectors, which can be regressed on, projected and mapped, and as stores again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metalocus.agents.agent import STORES, Array, Stores

MOST_CATEGORIES = 16
"""Distinct values up to which whole numbers and flags are names of things, such as actions."""
SAME = 1e-9
"""Standard deviation, relative to the largest of its array, below which a number is constant."""


@dataclass(frozen=True)
class _Part:
    """An array of the stores and its place in the vector.

    Attributes:
        store: it is in.
        key: of the array.
        shape: of one episode's.
        dtype: of the array.
        categories: what its entries can be, if they are names of things; else None.
        place: of its numbers in the whole vector.
    """

    store: str
    key: str
    shape: tuple[int, ...]
    dtype: np.dtype
    categories: Array | None
    place: slice

    def encode(self, array: Array) -> Array:
        """[N, ...] -> [N, numbers]: as they are, or an indicator for every category."""
        flat = array.reshape(len(array), int(np.prod(self.shape)))
        if self.categories is None:
            kind = np.float32 if flat.dtype == np.float32 else np.float64
            numbers: Array = flat.astype(kind, copy=False)
            return numbers
        same: Array = flat[:, :, None] == self.categories
        return same.reshape(len(array), -1).astype(np.float64)

    def decode(self, numbers: Array) -> Array:
        """Back to [N, ...]: the nearest whole number, or the category of greatest indicator."""
        shape = (len(numbers), *self.shape)
        if self.categories is not None:
            each = numbers.reshape(len(numbers), -1, len(self.categories))
            names: Array = self.categories[each.argmax(axis=2)]
            return names.reshape(shape)
        if self.dtype.kind in "iu":
            kind = np.iinfo(self.dtype)
            numbers = np.clip(np.rint(numbers), float(kind.min), np.nextafter(float(kind.max), 0.0))
        decoded: Array = numbers.reshape(shape).astype(self.dtype)
        return decoded


class Vectors:
    """Every number of the stores that differs between episodes, in units of its array's spread.

    All numbers of an array have one unit, the root mean square of their standard deviations, so
    that an array of large numbers does not outweigh the others and a number that hardly moves is
    not blown up. What is the same in all episodes of a trial, such as its number, is left out.

    Args:
        sample: stores of the same episodes at T trials, by which units and means are found.

    Attributes:
        size: D, of the vectors.
        width: numbers in the stores, those that are left out included.
    """

    def __init__(self, sample: Sequence[Stores]) -> None:
        self.parts = _parts(sample)
        self.width = self.parts[-1].place.stop
        encoded = [self._encode(stores) for stores in sample]
        means = [each.mean(axis=0) for each in encoded]
        variance = np.mean([each.var(axis=0, dtype=np.float64) for each in encoded], axis=0)
        unit, kept = np.zeros(self.width), np.zeros(self.width, dtype=bool)
        for part in self.parts:
            own = variance[part.place]
            kept[part.place] = own > (SAME**2) * max(own.max(initial=0.0), SAME)
            moving = own[kept[part.place]]
            unit[part.place] = np.sqrt(moving.mean()) if len(moving) else 1.0
        self.kept = np.flatnonzero(kept)
        self.size, self.unit = len(self.kept), unit[self.kept]
        self.means = [mean[self.kept] for mean in means]
        moving = [each[:, self.kept] for each in encoded]
        self.low = np.min([each.min(axis=0) for each in moving], axis=0)
        self.high = np.max([each.max(axis=0) for each in moving], axis=0)

    def of(self, stores: Stores, at: int = 0) -> Array:
        """Vectors [N, D] of stores at the sample's trial of that place, centred there."""
        vectors: Array = (self._encode(stores)[:, self.kept] - self.means[at]) / self.unit
        return vectors

    def back(self, vectors: Array, like: Stores, at: int = 0) -> Stores:
        """Stores of vectors [N, D], each number within the range that the sample has.

        Args:
            vectors: as :meth:`of` gives them.
            like: stores [N, ...] that have what the vectors leave out.
            at: place of the trial in the sample.
        """
        numbers = self._encode(like).astype(np.float64)
        inside = np.clip(vectors * self.unit + self.means[at], self.low, self.high)
        numbers[:, self.kept] = inside
        found = {(p.store, p.key): p.decode(numbers[:, p.place]) for p in self.parts}
        return like.map(lambda store, key, array: found.get((store, key), array))

    def _encode(self, stores: Stores) -> Array:
        """All numbers of the stores, [N, width]."""
        arrays = [part.encode(getattr(stores, part.store)[part.key]) for part in self.parts]
        return np.concatenate(arrays, axis=1)


def n_episodes(stores: Stores) -> int:
    """N of stores [N, ...]; 0 if they hold nothing, of which there are no vectors."""
    arrays = (array for store in STORES for array in getattr(stores, store).values())
    return next((len(array) for array in arrays), 0)


def _parts(sample: Sequence[Stores]) -> list[_Part]:
    """The arrays of the stores in order."""
    found: list[_Part] = []
    first = 0
    for store in STORES:
        for key, array in getattr(sample[0], store).items():
            categories = None
            size = int(np.prod(array.shape[1:]))
            if array.dtype.kind in "iub":
                values = np.unique([getattr(each, store)[key] for each in sample])
                if len(values) <= MOST_CATEGORIES:
                    categories = values
                    size *= len(values)
            place = slice(first, first + size)
            found.append(_Part(store, key, array.shape[1:], array.dtype, categories, place))
            first += size
    return found
