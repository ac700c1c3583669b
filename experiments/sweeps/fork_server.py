"""The process that imports everything once and forks a worker for each order.

``python -m metalocus.experiments.sweeps.fork_server DRIVER FILES...`` takes orders from standard
input and writes their outcomes to standard output, see
:func:`~metalocus.experiments.sweeps.forking.serve`. DRIVER is the process id of its parent, with
which it ends, FILES are what the driver has loaded.
"""

from __future__ import annotations

import gc
import os
import sys

from metalocus.experiments.sweeps.forking import Work, serve


def main() -> int:
    """Serve on standard input and output."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    serve(int(sys.argv[1]), sys.stdin.buffer, answers, imported)
    return 0


def imported() -> Work:
    """What makes a run, with all that it needs; the imports take seconds."""
    gc.disable()  # of what is imported next nothing is garbage
    from metalocus.experiments.sweeps.worker import prepare, work

    prepare(sys.argv[2:])
    gc.enable()
    return work


if __name__ == "__main__":
    sys.exit(main())
