"""A linear decoder of a store, how many directions it needs, and the removal of what it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.experiments.instruments.regression import Ridge
from metalocus.experiments.instruments.vectors import Vectors
from metalocus.experiments.scoring.sample import require_finite

MOST = 256
"""Principal directions of a store that are decoded from: more than the cells have activations."""
NEARLY_ALL = 0.95
"""The part of the decodable variance that ``directions`` hold."""
TOO_LITTLE = 0.05
"""R² below which it is not asked along how many directions."""


class Decoder:
    """A regression on the vectors of some stores, and the removal of what it reads.

    Args:
        sample: stores of the same N episodes, at one trial or at several.
        y: targets, [T, N, Q].
        blocks: places of each target among the Q numbers, by name.

    Attributes:
        vectors: the stores as vectors.
        y_mean: of the targets by trial, [T, Q].
        ridge: the regression, of centred vectors and targets.

    Raises:
        NonFinite: a store holds what is no number.
    """

    def __init__(self, sample: Sequence[Stores], y: Array, blocks: Mapping[str, slice]) -> None:
        self.vectors = Vectors(sample)
        x = np.stack([self.vectors.of(stores, at) for at, stores in enumerate(sample)])
        require_finite("what the agent carries", x)
        self.y_mean = y.mean(axis=1)
        self.ridge = Ridge(x, y - self.y_mean[:, None], blocks, MOST)

    def read(self, place: slice) -> Array:
        """Orthonormal directions in units of spread that the targets are read from, [W, R]."""
        read = self.ridge.weights[:, place] * self.ridge.spread[:, None]
        directions, sizes, _ = np.linalg.svd(read, full_matrices=False)
        kept: Array = directions[:, sizes > 1e-9 * max(sizes.max(initial=0.0), 1e-9)]
        return kept

    def others(self, read: Array, rng: np.random.Generator) -> Array:
        """Random directions in units of spread that tell nothing of the ones read, [W, R'].

        They are orthogonal to these, so that what the store has along them is uncorrelated with
        what it has along those; R' is R, or as many as are left. A direction along which the store
        varies more is drawn more often: as a direction of noise of the store's own covariance.
        """
        noise = rng.normal(size=read.shape) * self.ridge.spread[:, None]
        left = len(read) - read.shape[1]
        found: Array = np.linalg.qr(noise - read @ (read.T @ noise))[0][:, : max(left, 0)]
        return found

    def without(self, stores: Stores, read: Array, instead: Array | None = None) -> Stores:
        """Stores with the directions [W, R] taken out.

        The removal is that of LEACE: in units of spread along the principal directions it is an
        orthogonal projection, so that it takes out all that is linearly decodable and changes as
        little as can be (Belrose et al. 2023, "LEACE: Perfect linear concept erasure in closed
        form", theorem 4.3, where the regression has no penalty).

        Args:
            stores: [N, ...].
            read: the directions in units of spread.
            instead: others [W, R'] along which it is changed, by as much: the change of one
                has the root mean square of that of the other over the episodes of the fit.
        """
        ridge = self.ridge
        vectors = self.vectors.of(stores)
        along = read if instead is None else instead
        change = (ridge.scores(vectors) / ridge.spread @ along @ along.T) * ridge.spread
        if along.size == 0:  # a store that does not vary has no directions
            return stores
        size, own = (np.linalg.norm(each * ridge.spread[:, None]) for each in (read, along))
        return self.vectors.back(vectors - size / own * change @ ridge.directions.T, stores)

    def errors(
        self, stores: Stores, y: Array, blocks: Mapping[str, slice], at: int = 0
    ) -> dict[str, Array]:
        """By target, squared errors of the decoder and of the mean in its fit, [2, N].

        Args:
            stores: [N, ...].
            y: targets, [N, Q].
            blocks: places of each target among the Q numbers, by name.
            at: which of the sample's trials this is.
        """
        centred = y - self.y_mean[at]
        left = centred - self.ridge.predict(self.vectors.of(stores, at))
        return {
            name: np.stack([(each[:, place] ** 2).sum(axis=1) for each in (left, centred)])
            for name, place in blocks.items()
        }

    def nested(self, stores: Stores, y: Array, place: slice) -> Array:
        """Squared errors summed over episodes, of the mean and then of the first directions.

        Args:
            stores: [N, ...].
            y: targets, [N, Q].
            place: those that are decoded.

        Returns:
            [M + 1], one for the mean and one for each number of directions tried.
        """
        scores = self.ridge.scores(self.vectors.of(stores))
        left = y[:, place] - self.y_mean[0, place]
        losses, done = [(left**2).sum()], 0
        for upto in _tried(scores.shape[1]):
            left = left - scores[:, done:upto] @ self.ridge.weights[done:upto, place]
            losses.append((left**2).sum())
            done = upto
        return np.array(losses)

    def enough(self, losses: Array) -> int | None:
        """The least number of principal directions with nearly all of the R².

        Args:
            losses: of :meth:`nested`, of one or summed over several, [M + 1].

        Returns:
            The number; None if the R² with all of them is small.
        """
        if len(losses) < 2 or losses[0] - losses[-1] <= TOO_LITTLE * losses[0]:
            return None
        gained = (losses[0] - losses[1:]) / (losses[0] - losses[-1])
        return _tried(len(self.ridge.spread))[int(np.argmax(gained >= NEARLY_ALL))]


def _tried(width: int) -> list[int]:
    """Numbers of directions to try: each one up to 16, then a sixth more each time."""
    return sorted(
        {*range(1, min(width, 16) + 1), *(int(16 * 1.17**i) for i in range(18)), width}
        & set(range(1, width + 1))
    )
