"""What is too large for memory, refused in one line before it is made."""

from __future__ import annotations

MOST_BYTES = 1_200_000_000
"""Greatest size of an agent's tables: room for the largest that is needed for the tasks of Duan
et al. 2016, optimistic Thompson sampling on 50 arms and 500 trials (1.1e9)."""

MOST_BYTES_OF_AN_EPISODE = 10_000_000
"""Greatest size of one array that an episode carries: of a hundred episodes it takes no more than
the tables."""


def too_large(
    what: str,
    n_bytes: int,
    advice: str = "use fewer of either",
    most: int = MOST_BYTES_OF_AN_EPISODE,
) -> str | None:
    """Why something of ``n_bytes`` is not made, in one line; None if it can be.

    Args:
        what: it is and for which task, "its table of 900 trials and 2 arms".
        n_bytes: its size.
        advice: how to get below the limit.
        most: the limit.
    """
    if n_bytes <= most:
        return None
    return f"{what} would take {n_bytes:,} bytes, the limit is {most:,}; {advice}"
