"""Choice values by trial, and their standard errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from metalocus.agents.agent import Agent, Array, NonFinite
from metalocus.agents.rollout import Trace, rollout
from metalocus.envs import Setting
from metalocus.experiments.scoring.chunks import Chunks, named
from metalocus.experiments.scoring.sample import Sample

LATE = 0.25
"""The part of an episode that counts as its end in ``final``."""
NO_GAP = 1e-9
"""The best arm is no better than chance if it is by less, which rounding can make."""


def choice_bounds(privileged_value: Array) -> tuple[Array, Array]:
    """Expected value of a uniformly random choice and of the best one, [..., K] -> [...]."""
    return privileged_value.mean(axis=-1), privileged_value.max(axis=-1)


def mean_gap(chance: Array, best: Array) -> Array:
    """Mean of best - chance over episodes, [..., N] -> [...]; NaN where all arms are equal."""
    gap = (best - chance).mean(axis=-1)
    return np.where(gap > NO_GAP, gap, np.nan)


def choice_value(value: Array, chance: Array, best: Array) -> tuple[Array, Array]:
    """What a choice earns on the scale where a uniformly random one is 0 and the best arm is 1.

    All three are averaged over episodes before the ratio is taken, so that episodes with
    nearly equal arms do not dominate.

    Args:
        value: expected value of the policy's choice, [..., N].
        chance: that of a uniformly random choice, [..., N].
        best: that of the best choice, [..., N].

    Returns:
        The choice value [...], NaN where all arms are equal in every episode, so that there is
        none; and each episode's deviation from it [..., N], of mean 0 (the ratio linearised).
    """
    gap = mean_gap(chance, best)
    mean = (value - chance).mean(axis=-1) / gap
    deviation = (value - chance - mean[..., None] * (best - chance)) / gap[..., None]
    return mean, deviation


class LearningCurve:
    """Choice values of every trial and of the episodes' last quarter, pooled over chunks."""

    def __init__(self) -> None:
        self._sample = Sample()

    def add(self, trace: Trace) -> None:
        """Pool what was played."""
        value = (trace.probs * trace.privileged_value).sum(axis=2)
        parts = np.stack([value, *choice_bounds(trace.privileged_value)])
        late = -max(1, round(LATE * parts.shape[1]))
        final = parts[:, late:].mean(axis=1, keepdims=True)
        self._sample.add(np.concatenate([parts, final], axis=1))

    def summary(self) -> dict[str, Any]:
        """``curve`` by trial and ``final``, with standard errors ``curve_se`` and ``final_se``."""
        mean, deviation = choice_value(*self._sample.columns)
        *curve, final = numbers(mean)
        *curve_se, final_se = numbers(self._sample.standard_error(deviation))
        return {"curve": curve, "curve_se": curve_se, "final": final, "final_se": final_se}


def learning_curve(agent: Agent, setting: Setting, episodes: int, seed: int) -> dict[str, Any]:
    """The :class:`LearningCurve` of an agent on fresh episodes of a setting."""
    curve = LearningCurve()
    with named(agent, setting):
        for chunk in Chunks(setting, episodes, seed):
            curve.add(rollout(agent, chunk.episodes(), chunk.start_seed))
    return curve.summary()


def number(value: float) -> float | None:
    """For JSON: None for NaN, by which a summary says that there is no such number.

    What is measured cannot be NaN: :meth:`Sample.add` refuses that.

    Raises:
        NonFinite: the value is infinite.
    """
    if np.isinf(value):
        raise NonFinite("a result is infinite: the rewards are too large to be averaged")
    return None if np.isnan(value) else float(value)


def numbers(values: Iterable[float]) -> list[float | None]:
    """For JSON, [T] -> list."""
    return [number(value) for value in values]
