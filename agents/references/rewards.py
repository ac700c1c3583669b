"""Rewards of 0 and 1, read by the policies that compare instead of calculate."""

from __future__ import annotations

import numpy as np

from metalocus.agents.agent import Array, NonFinite


def rewarded(reward: Array) -> Array:
    """Whether each reward, 0 or 1, is 1, [N] -> [N].

    Raises:
        NonFinite: a reward is NaN or infinite; a comparison would take NaN for a failure.
    """
    if not np.isfinite(reward).all():
        raise NonFinite("a reward is not finite; correct the environment that gives it")
    won: Array = reward > 0.5
    return won
