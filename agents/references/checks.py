"""What references refuse: tables that do not fit into memory, and rewards that are no numbers."""

from __future__ import annotations

import numpy as np

from metalocus.agents.agent import Array, NonFinite

MOST_BYTES = 1_200_000_000
"""Greatest size of a policy's tables: room for the largest that is needed for the tasks of Duan
et al. 2016, optimistic Thompson sampling on 50 arms and 500 trials (1.1e9)."""

MOST_BYTES_OF_AN_EPISODE = 10_000_000
"""Greatest size of what one episode carries: a hundred of them take no more than the tables."""


def too_large(
    what: str, n_bytes: float, most: int = MOST_BYTES, advice: str = "use fewer trials"
) -> str | None:
    """Why something of ``n_bytes`` cannot be made, in one line; None if it can.

    Args:
        what: it is and for which task, "the table of 900 trials".
        n_bytes: its size.
        most: the limit.
        advice: how to get below it.
    """
    if n_bytes <= most:
        return None
    return f"{what} would take {n_bytes:,.0f} bytes, the limit is {most:,}; {advice}"


def rewarded(reward: Array) -> Array:
    """Whether each reward, 0 or 1, is 1, [N] -> [N].

    Raises:
        NonFinite: a reward is NaN or infinite; a comparison would take NaN for a failure.
    """
    if not np.isfinite(reward).all():
        raise NonFinite("a reward is not finite; correct the environment that gives it")
    won: Array = reward > 0.5
    return won
