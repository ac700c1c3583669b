"""Settings that change as training goes on, functions of the fraction that remains, 1 to 0.

:class:`~metalocus.agents.ppo.algorithm.SequencePPO` reads them at the beginning of each rollout,
for the rollout and the update on it: 1 at the first, and more than 0 at the last.
"""

from __future__ import annotations

from dataclasses import dataclass

from metalocus.envs.checks import require, require_number


@dataclass(frozen=True)
class LengtheningHorizon:
    """A discount whose horizon 1 / (1 - gamma) grows by equal factors from first to last.

    A short horizon has estimates of little variance, from which immediate rewards are learned
    first; a long one is needed for what pays late, such as exploring.

    Args:
        first: horizon at the beginning of training, in steps, at least 1.
        last: at the end of its growth.
        end_fraction: part of the training in which it grows, at most 1.

    Raises:
        InvalidTask: an argument is out of these bounds.
    """

    first: float
    last: float
    end_fraction: float = 1.0

    def __post_init__(self) -> None:
        for name, least in (("first", 1.0), ("last", 1.0)):
            object.__setattr__(self, name, require_number(name, getattr(self, name), least))
        fraction = require_number("end_fraction", self.end_fraction, 0.0, above=True)
        require(fraction <= 1.0, f"end_fraction must be at most 1, got {fraction}")
        object.__setattr__(self, "end_fraction", fraction)

    def __call__(self, progress_remaining: float) -> float:
        """The discount."""
        done = min(1.0, (1.0 - progress_remaining) / self.end_fraction)
        horizon = self.first ** (1.0 - done) * self.last**done
        return 1.0 - 1.0 / float(horizon)


@dataclass(frozen=True)
class PowerDecay:
    """A number that falls from ``start`` to 0 as a power of the training that remains.

    Args:
        start: value at the beginning of training, at least 0.
        power: 1 for a line; at 2 the last half goes through the last quarter of the values.

    Raises:
        InvalidTask: an argument is negative or not finite.
    """

    start: float
    power: float

    def __post_init__(self) -> None:
        for name in ("start", "power"):
            object.__setattr__(self, name, require_number(name, getattr(self, name), 0.0))

    def __call__(self, progress_remaining: float) -> float:
        """The number; 0 beyond the end, where a last rollout of SB3's may reach."""
        return float(self.start * max(progress_remaining, 0.0) ** self.power)
