"""Which errors are the user's to mend, which are a run's failure, and which are our faults."""

from __future__ import annotations

from metalocus.experiments.errors import WrongUse

FAILED, WRONG_USE = 1, 2


def exit_code(error: BaseException) -> int | None:
    """2 for bad input, 1 for a run that failed, None for a fault of the program itself."""
    from metalocus.agents.agent import NonFinite
    from metalocus.agents.ppo.files import Corrupt
    from metalocus.envs import InvalidTask
    from metalocus.experiments.runs.folder import Busy, NotARun
    from metalocus.experiments.training.sweep import RunFailed

    if isinstance(error, (WrongUse, InvalidTask, NotARun, Corrupt)):
        return WRONG_USE
    return FAILED if isinstance(error, (RunFailed, NonFinite, Busy, OSError)) else None
