"""Gymnasium spaces of a layout, and the check of a batch of actions."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from metalocus.envs.checks import InvalidTask
from metalocus.envs.layout import Layout


def observation_space(layout: Layout) -> spaces.Box:
    """float32 Box [D] with the true bounds of every part."""
    low, high = layout.bounds()
    return spaces.Box(low, high, dtype=np.float32)


def action_space(layout: Layout) -> spaces.Discrete:
    """One action an arm."""
    return spaces.Discrete(layout.family.n_arms)


def require_actions(actions: Any, n: int, n_arms: int) -> NDArray[Any]:
    """``actions`` as an array [n] of whole numbers below ``n_arms``, or :class:`InvalidTask`."""
    given = np.asarray(actions)
    fits = given.shape == (n,) and given.dtype.kind in "iu"
    if not fits or given.astype(np.uint64).max() >= n_arms:  # below 0 wraps to huge
        expected = f"{n} whole numbers from 0 to {n_arms - 1}"
        raise InvalidTask(f"actions must be {expected}, got {reprlib.repr(given.tolist())}")
    return given
