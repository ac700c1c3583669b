"""Settings that change as training goes on, functions of the fraction that remains, 1 to 0."""

from __future__ import annotations


class LengtheningHorizon:
    """A discount whose horizon 1 / (1 - gamma) grows by equal factors from first to last.

    What pays soon is learned soon, and from little noise; what pays late, such as exploring,
    is learned on top of it.

    Args:
        first: horizon at the beginning of training, in steps.
        last: at the end of its growth.
        end_fraction: part of the training in which it grows.
    """

    def __init__(self, first: float, last: float, end_fraction: float = 1.0) -> None:
        self.first, self.last, self.end_fraction = first, last, end_fraction

    def __call__(self, progress_remaining: float) -> float:
        """The discount."""
        done = min(1.0, (1.0 - progress_remaining) / self.end_fraction)
        horizon = self.first ** (1.0 - done) * self.last**done
        return 1.0 - 1.0 / float(horizon)


class PowerDecay:
    """A number that falls from ``start`` to 0 as a power of the training that remains.

    Args:
        start: value at the beginning of training.
        power: 1 for a line; at 2 the last half goes through the last quarter of the values.
    """

    def __init__(self, start: float, power: float) -> None:
        self.start, self.power = start, power

    def __call__(self, progress_remaining: float) -> float:
        """The number; 0 beyond the end, where the last rollout may reach."""
        return float(self.start * max(progress_remaining, 0.0) ** self.power)
