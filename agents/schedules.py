"""How far ahead training looks, as it goes on."""

from __future__ import annotations


class LengtheningHorizon:
    """A discount whose horizon 1 / (1 - gamma) grows by equal factors from first to last.

    What pays soon is learned soon, and from little noise; what pays late, such as exploring,
    is learned on top of it.

    Args:
        first: horizon at the beginning of training, in steps.
        last: at its end.
    """

    def __init__(self, first: float, last: float) -> None:
        self.first, self.last = first, last

    def __call__(self, progress_remaining: float) -> float:
        """The discount when this fraction of training remains, 1 to 0."""
        horizon = self.first * (self.last / self.first) ** (1.0 - progress_remaining)
        return 1.0 - 1.0 / horizon
