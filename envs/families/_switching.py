"""The hidden switch that several families share: to another value, at a hazard rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.family import Array


def switched(
    current: Array,
    n: int,
    hazard: ArrayLike,
    crn: CommonRandomNumbers,
    t: ArrayLike,
    stream: str = "switch",
) -> Array:
    """A hidden value after a possible switch, [N]: any other value is equally likely.

    Args:
        current: [N] integers below n.
        n: at least 2.
        hazard: chance of a switch, a number or [N].
        crn: the episodes' random numbers; what they are does not depend on the actions.
        t: time, a number or [N].
        stream: name of the random numbers.
    """
    switch = crn.uniform(stream, t) < hazard
    if n == 2:
        return np.where(switch, 1 - current, current)
    step = 1 + (crn.uniform(stream, t, 1) * (n - 1)).astype(np.int64)
    return np.where(switch, (current + step) % n, current)
