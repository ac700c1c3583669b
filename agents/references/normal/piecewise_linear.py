"""Expectations of piecewise linear functions of a normal number."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from metalocus.agents.agent import Array

_DENSITY = 1.0 / np.sqrt(2.0 * np.pi)
"""Standard normal density at 0."""


def gain(x: Array, sd: float) -> Array:
    """E max(x + sd Z, 0) of a standard normal Z, elementwise."""
    if sd == 0.0:
        return np.maximum(x, 0.0)
    z = x / sd
    expected: Array = x * ndtr(z) + sd * _DENSITY * np.exp(-0.5 * z**2)
    return expected


def basis(points: Array, knots: Array, sd: float) -> Array:
    """Weight of each coefficient in E f(x + sd Z) at every point x, [P, G].

    Args:
        points: x, [P].
        knots: of f, rising, [G].
        sd: standard deviation of the noise, may be 0.
    """
    offset = points[:, None] - knots
    offset[:, 1:-1] = gain(offset[:, 1:-1], sd)
    return np.concatenate([np.ones((len(points), 1)), offset[:, :-1]], axis=1)


def coefficients(knots: Array, values: Array) -> Array:
    """First value, first slope and changes of slope, values [..., G] at knots [G] -> [..., G].

    The function is linear between the knots and goes straight on beyond them, so its
    expectation at the points of a :func:`basis` is exactly ``coefficients @ basis.T``. A
    convex function that is not linear there is overestimated.
    """
    slopes = np.diff(values) / np.diff(knots)
    parts = [values[..., :1], slopes[..., :1], np.diff(slopes)]
    return np.concatenate(parts, axis=-1)
