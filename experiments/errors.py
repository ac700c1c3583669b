"""Which errors are the user's to mend, which are a run's failure, and which are our faults."""

from __future__ import annotations

FAILED, WRONG_USE = 1, 2


class WrongUse(ValueError):
    """A command that cannot be obeyed as given; the message says how to mend it."""


def exit_code(error: BaseException) -> int | None:
    """2 for bad input, 1 for a run that failed, None for a fault of the program itself."""
    from metalocus.agents.checkpoint import Corrupt
    from metalocus.agents.finite import NonFinite
    from metalocus.envs import InvalidTask
    from metalocus.experiments.runs import Busy, NotARun
    from metalocus.experiments.sweep import RunFailed

    if isinstance(error, (WrongUse, InvalidTask, NotARun, Corrupt)):
        return WRONG_USE
    return FAILED if isinstance(error, (RunFailed, NonFinite, Busy, OSError)) else None
