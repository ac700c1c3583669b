"""Where a rule's constants are searched for when it is tuned.

A constant of one kind has one range in all rules, so that none has an advantage by a wider or a
luckier one: a step of weights without bounds (``STEP``), a share (``SHARE``), a level of reward
(``LEVEL``). What only one rule has, or those of one base, has a range beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

DIGITS = 3
"""Significant digits of what is tried, so that what is written down is what was tried; returns do
not tell constants apart that differ by less."""
RENEWED = 0.1
"""Probability that a constant near a good one is drawn from the whole range all the same, so that
the search can leave a poor region."""


@dataclass(frozen=True)
class Range:
    """The values of one constant, and how they are drawn.

    Attributes:
        low: least value.
        high: greatest value; equal to ``low`` for a constant that is not searched.
        log: draw uniformly in the logarithm, as for step sizes, of which only the order of
            magnitude is known.
        half: a value apart, which half of the draws take: the one that switches a part of the
            rule off. None if there is none.
    """

    low: float
    high: float
    log: bool = False
    half: float | None = None

    def draw(self, rng: np.random.Generator) -> float:
        """A value from the whole range."""
        if self.half is not None and rng.random() < 0.5:
            return self.half
        return self._at(rng.random())

    def near(self, value: float, rng: np.random.Generator, width: float) -> float:
        """A value near a given one.

        Args:
            value: of the constant; the value apart stays as it is.
            rng: chance.
            width: standard deviation of the change, as a share of the range (or of its logarithm).
        """
        if rng.random() < RENEWED:
            return self.draw(rng)
        if value == self.half or self.low == self.high:
            return value
        low, high, now = self._scaled(self.low), self._scaled(self.high), self._scaled(value)
        share = (now - low) / (high - low) + width * rng.normal()
        return self._at(min(max(share, 0.0), 1.0))

    def _at(self, share: float) -> float:
        """The value at a share of the range, 0 for the least and 1 for the greatest."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        scaled = low + share * (high - low)
        return float(f"{np.exp(scaled) if self.log else scaled:.{DIGITS}g}")

    def _scaled(self, value: float) -> float:
        return float(np.log(value)) if self.log else value


STEP = Range(1e-3, 100.0, log=True)
"""Step sizes of weights that have no bounds: from 1,000 trials for a logit of 1 to one that a
single reward makes certain."""
SHARE = Range(1e-4, 1.0, log=True)
"""Shares at each trial, of the way to a target that a step goes, of what is lost, or of the choices
that are random: from hardly any in the longest episode to all of it."""
SHARE_OR_NONE = replace(SHARE, half=0.0)
"""Such a share, if the rule is the same without it but for a part that does nothing."""
LEVEL = Range(0.0, 1.5)
"""Levels of reward that a rule begins at or compares with, as fractions of the range of rewards;
above 1 every reward disappoints, which makes for exploration."""
