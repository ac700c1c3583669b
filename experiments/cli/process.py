"""The process of the command line: interrupts, standard output and error, the end."""

from __future__ import annotations

import atexit
import codecs
import gc
import io
import os
import signal
import sys
import warnings
from types import FrameType
from typing import Any, TextIO

from metalocus.experiments.cli.exit_codes import FAILED

INTERRUPTED = "metalocus: interrupted; repeat the command to continue"
PRINTABLE = "metalocus.printable"
"""Name of the error handler :func:`printable` among Python's codecs."""


def prepare() -> None:
    """Tell interrupts and warnings in one line, and make output that cannot fail.

    Called before the heavy imports: what is registered first is done last at exit.
    """
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)  # Python would end by the signal
    warnings.formatwarning = warning
    signal.signal(signal.SIGINT, interrupted)
    sys.unraisablehook = unraisable
    codecs.register_error(PRINTABLE, printable)
    sys.stdout, sys.stderr = stream(sys.stdout), stream(sys.stderr)


def finish(code: int) -> int:
    """Write out what is buffered; returns the exit code, which interrupts change no more."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(code))
    gc.freeze()  # or Python searches all modules for garbage before it ends, half a second
    return code if flushed(sys.stdout) else FAILED


def interrupted(_signal: int, frame: FrameType | None) -> None:
    """The first interrupt is an exception; the next one ends the process.

    So does one that comes while modules are imported: there is nothing to lose then, and an
    exception inside an import may be swallowed, or abort the process.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            leave()
        frame = frame.f_back
    signal.signal(signal.SIGINT, leave)
    raise KeyboardInterrupt


def unraisable(error: Any) -> None:
    """An interrupt that Python would print and forget, as in ``__del__``, ends the process."""
    if isinstance(error.exc_value, KeyboardInterrupt):
        leave()
    sys.__unraisablehook__(error)


def warning(message: Warning | str, *_where: object, **_line: object) -> str:
    """A warning as a line of ours, without the place in the source."""
    return f"metalocus: {message}\n"


def leave(*_: object) -> None:
    """End the process at once, with one line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(FAILED)


class Pipe(io.FileIO):
    """A file descriptor to write to; what is written after its reader has left is dropped."""

    def write(self, data: Any, /) -> int:
        """Write bytes; returns how many."""
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


def stream(given: TextIO | None) -> TextIO:
    """Standard output or error; printing to it fails neither for its encoding nor its reader."""
    if given is None:  # the shell has closed it
        return open(os.devnull, "w", encoding="utf-8")
    if given.isatty():
        assert isinstance(given, io.TextIOWrapper)
        given.reconfigure(errors=PRINTABLE)
        return given
    pipe = io.BufferedWriter(Pipe(given.fileno(), "wb", closefd=False))
    buffered_by_line = given is sys.stderr
    return io.TextIOWrapper(pipe, given.encoding, PRINTABLE, line_buffering=buffered_by_line)


def printable(error: UnicodeError) -> tuple[str | bytes, int]:
    """What an encoding lacks, as escapes; bytes of a path that were no text, as they are."""
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    try:
        return text.encode("ascii", "surrogateescape"), error.end
    except UnicodeEncodeError:
        return text.encode("ascii", "backslashreplace"), error.end


def flushed(output: TextIO) -> bool:
    """Whether all of the output could be written; one line says so if not."""
    try:
        output.flush()
    except OSError as error:  # it is a file on a full disk
        print(f"metalocus: {error.strerror}: standard output", file=sys.stderr)
        sys.stdout = stream(None)  # or Python tries again at exit
        return False
    return True
