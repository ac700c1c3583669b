"""Stopping before a number that is not finite reaches the weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metalocus.agents.agent import NonFinite


def require_finite(
    what: str, array: NDArray[Any], step: int, rows: Sequence[int] | None = None
) -> None:
    """Raise :class:`NonFinite` unless all numbers of an array [N, ...] are finite.

    Args:
        what: the array's name for the message.
        array: one row an environment.
        step: of training, for the message.
        rows: the environments that the rows belong to; None for all in order.
    """
    finite = np.isfinite(array)
    if not finite.all():
        row = int(np.flatnonzero(~finite.reshape(len(array), -1).all(axis=1))[0])
        where = f"of environment {row if rows is None else rows[row]} at step {step}"
        raise NonFinite(f"the {what} {where} is not finite; the weights were not changed")
