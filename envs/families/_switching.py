"""What the families with a hidden switch share: a hazard, and somewhere else to go."""

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
    """Where a hidden choice among n goes on: with the hazard's chance to another, all alike.

    Args:
        current: [N] integers below n.
        n: at least 2.
        hazard: chance of a switch, a number or [N].
        crn, t, stream: the switch's own random numbers; nothing that the agent does bears on it.
    """
    switch = crn.uniform(stream, t) < hazard
    if n == 2:
        return np.where(switch, 1 - current, current)
    step = 1 + (crn.uniform(stream, t, 1) * (n - 1)).astype(np.int64)
    return np.where(switch, (current + step) % n, current)
