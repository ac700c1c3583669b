"""Scores by trial, and their standard errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from metalocus.agents.rollout import Trace

Array = NDArray[Any]


LATE = 0.25
"""The part of an episode that counts as its end in ``final`` scores."""


def choice_bounds(privileged_value: Array) -> tuple[Array, Array]:
    """Worth of a uniformly random choice and of the best one, [..., K] -> [...]."""
    return privileged_value.mean(axis=-1), privileged_value.max(axis=-1)


def normalised(value: Array, chance: Array, best: Array) -> tuple[Array, Array]:
    """Score on the scale where a uniformly random choice is 0 and the best arm is 1.

    All three are averaged over episodes before the ratio is taken, so that episodes with
    nearly equal arms do not dominate.

    Args:
        value: expected reward of the policy's choice, [..., N].
        chance, best: the :func:`choice_bounds`, [..., N].

    Returns:
        score [...], nan where all arms are equal in every episode; and each episode's
        deviation from it [..., N], of mean 0 (the ratio linearised).
    """
    gap = (best - chance).mean(axis=-1)
    gap = np.where(gap > 0.0, gap, np.nan)
    score = (value - chance).mean(axis=-1) / gap
    deviation = (value - chance - score[..., None] * (best - chance)) / gap[..., None]
    return score, deviation


def standard_error(deviation: Array) -> Array:
    """Of a mean over episodes, [..., N] -> [...]."""
    error: Array = deviation.std(axis=-1) / np.sqrt(deviation.shape[-1])
    return error


def learning_curve(trace: Trace) -> dict[str, Any]:
    """Normalised score of every trial and of the episodes' last quarter, with standard errors."""
    privileged_value = (trace.probs * trace.privileged_value).sum(axis=2)
    parts = (privileged_value, *choice_bounds(trace.privileged_value))
    score, deviation = normalised(*parts)
    late = -max(1, round(LATE * len(privileged_value)))
    final, final_deviation = normalised(*(part[late:].mean(axis=0) for part in parts))
    return {
        "curve": numbers(score),
        "curve_se": numbers(standard_error(deviation)),
        "final": number(final),
        "final_se": number(standard_error(final_deviation)),
    }


def number(value: Array) -> float | None:
    """For JSON: None for what is not finite."""
    return float(value) if np.isfinite(value) else None


def numbers(values: Array) -> list[float | None]:
    """For JSON, [T] -> list."""
    return [number(value) for value in values]
