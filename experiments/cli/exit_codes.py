"""The exit code of an error, and the line that tells it.

0 is done, 2 wrong use or bad input, 1 a failure. Any other error is a fault of the program and
keeps its traceback.
"""

from __future__ import annotations

from metalocus.experiments.errors import WrongUse

FAILED, WRONG_USE = 1, 2
_NO_MEMORY = ("can't allocate memory", "out of memory")
"""What torch says of memory, in a RuntimeError."""


def exit_code(error: BaseException) -> int | None:
    """2 for bad input, 1 for a run or a machine that failed, None for a fault of the program."""
    if isinstance(error, WrongUse):
        return WRONG_USE
    from metalocus.agents.agent import NonFinite
    from metalocus.agents.ppo.files import Corrupt
    from metalocus.envs import InvalidTask
    from metalocus.experiments.folders.folder import NotARun
    from metalocus.experiments.folders.lease import Busy
    from metalocus.experiments.sweeps.order import RunFailed

    if isinstance(error, (InvalidTask, NotARun, Corrupt)):
        return WRONG_USE
    failures = (RunFailed, NonFinite, Busy, OSError, OverflowError, RecursionError)
    return FAILED if isinstance(error, failures) or lacks_memory(error) else None


def lacks_memory(error: BaseException) -> bool:
    """Whether memory could not be had, by Python, NumPy or torch."""
    if isinstance(error, RuntimeError):
        return any(said in str(error) for said in _NO_MEMORY)
    return isinstance(error, MemoryError)


def one_line(error: BaseException) -> str:
    """What an error says, with what its message alone does not."""
    said = " ".join(str(error).split())
    if lacks_memory(error):
        return f"not enough memory; ask for fewer or smaller episodes or environments ({said})"
    if isinstance(error, OverflowError | RecursionError):
        return f"a number is too large, or a value too deeply nested ({said})"
    return said
