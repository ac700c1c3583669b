"""The command line ``metalocus``: run one command, tell every error in one line.

Nothing heavy is imported before interrupts are handled.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence

from metalocus.experiments.cli import process
from metalocus.experiments.cli.exit_codes import FAILED, exit_code, one_line


def main() -> int:
    """Run the command that this process was started with; returns the exit code.

    An interrupt ends the command in order, a second one at once; both give exit code 1 and one
    line. A reader of the output who leaves early changes nothing. What the terminal or the
    locale cannot show is printed as an escape.
    """
    process.prepare()
    gc.disable()  # of what is imported next nothing is garbage
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # has no effect after torch is imported
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print(process.INTERRUPTED, file=sys.stderr)
        code = FAILED
    return process.finish(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code: 0 done, 2 wrong use or bad input, 1 failed."""
    from metalocus import __version__, load
    from metalocus.experiments.cli.parsing import files_to_load, parse
    from metalocus.experiments.cli.registry import COMMANDS
    from metalocus.experiments.display import show_lines

    gc.enable()
    if list(arguments) == ["--version"]:
        print(__version__)
        return 0
    show_lines()
    try:
        files, rest = files_to_load(arguments)
        load(*files)
        parse(rest or ["--help"], COMMANDS)()
    except SystemExit as stop:  # help was asked for and given
        return int(stop.code or 0)
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        print(f"metalocus: {one_line(error)}", file=sys.stderr)
        return code
    return 0
