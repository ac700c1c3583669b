"""Rewards as the policies read them that compare or count: a comparison would hide NaN."""

from __future__ import annotations

import numpy as np

from metalocus.agents.agent import Array, NonFinite


def finite(reward: Array) -> Array:
    """The rewards [N] themselves.

    Raises:
        NonFinite: one is NaN or infinite.
    """
    if not np.isfinite(reward).all():
        raise NonFinite("a reward is not finite; correct the environment that gives it")
    return reward


def rewarded(reward: Array) -> Array:
    """Whether each reward, 0 or 1, is 1, [N] -> [N].

    Raises:
        NonFinite: one is NaN or infinite.
    """
    won: Array = finite(reward) > 0.5
    return won
