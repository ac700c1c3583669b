"""Stopping at a number that is not finite, before it becomes a choice or reaches the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from metalocus.agents.agent import NonFinite
from metalocus.envs.checks import require


def require_finite_rows(
    what: str, array: NDArray[Any], when: str = "", rows: Sequence[int] | None = None
) -> None:
    """Raise :class:`NonFinite` unless all numbers of an array [N, ...] are finite.

    Args:
        what: the array's name for the message.
        array: one row an environment.
        when: more for the message: the step of training.
        rows: the environments that the rows belong to; None for all in order.
    """
    finite = np.isfinite(array)
    if not finite.all():
        row = int(np.flatnonzero(~finite.reshape(len(array), -1).all(axis=1))[0])
        where = f"of environment {row if rows is None else rows[row]}"
        raise NonFinite(" ".join(f"the {what} {where} {when} is not finite".split()))


def require_weights(given: Mapping[str, Any], own: Mapping[str, Tensor]) -> None:
    """Raise unless tensors are finite and of the types of those that they are to replace.

    Raises:
        NonFinite: one is not finite.
        InvalidTask: one is of another type, such as complex.
    """
    for name, value in given.items():
        if not isinstance(value, Tensor):
            continue  # torch says what it expects
        if name in own:
            expected, found = own[name].dtype, value.dtype
            require(found == expected, f"the weights {name} must be {expected}, not {found}")
        if not torch.isfinite(value).all():
            raise NonFinite(f"the weights {name} are not finite")
