"""Means over episodes, with the noise taken out that known means of the tasks explain."""

from __future__ import annotations

import numpy as np

from metalocus.agents.agent import Array
from metalocus.experiments.scoring.sample import require_finite


def mean_with_controls(values: Array, controls: Array) -> tuple[float, float]:
    """Mean over episodes and its standard error, by regression on control variates.

    The intercept of the regression of values on controls of mean 0. Its bias falls with 1 / N
    (Lavenberg & Welch 1981, "A perspective on the use of control variables").

    Args:
        values: of independent episodes, [N].
        controls: numbers of the same episodes whose true mean is 0, [N, C].

    Raises:
        NonFinite: a number is not finite.
        ValueError: there are not more episodes than controls.
    """
    require_finite("the value of an episode", values)
    require_finite("a control variate", controls)
    n, free = len(values), len(values) - controls.shape[1] - 1
    if free < 1:
        raise ValueError(f"{n} episodes are too few for {controls.shape[1]} control variates")
    design = np.column_stack([np.ones(n), controls])
    fitted, *_ = np.linalg.lstsq(design, values, rcond=None)
    rest = values - design @ fitted
    inverse = np.linalg.pinv(design.T @ design)
    error = float(np.sqrt(rest @ rest / free * inverse[0, 0]))
    return float(fitted[0]), error
