"""Gymnasium spaces of a layout."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces

from metalocus.envs.layout import Layout


def observation_space(layout: Layout) -> spaces.Box:
    """float32 Box [D] with the true bounds of every part."""
    low, high = layout.bounds()
    return spaces.Box(low, high, dtype=np.float32)


def action_space(layout: Layout) -> spaces.Discrete:
    """One action an arm."""
    return spaces.Discrete(layout.family.n_arms)
