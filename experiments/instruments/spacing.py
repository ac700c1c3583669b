"""Trials at which a probe measures if it is not told at which."""

from __future__ import annotations

import numpy as np

from metalocus.envs import Family
from metalocus.experiments.instruments.task import steps_a_trial


def spaced_choices(family: Family, n: int) -> list[int]:
    """At most n steps spaced by ratio, from the second choice that matters to the last one.

    A task of one choice has that one.
    """
    step = steps_a_trial(family)
    last = (family.horizon - 1) // step * step
    ratio = np.geomspace(step, max(step, last), n).round().astype(int)
    return sorted({min(int(t) // step * step, last) for t in ratio})
