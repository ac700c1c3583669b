"""One training run in a process of its own: ``python -m metalocus.experiments.worker``.

Reads the config as JSON from standard input. Dies with the process that started it, so
that a killed driver leaves no second writer behind.
"""

from __future__ import annotations

import ctypes
import signal
import sys
from pathlib import Path

from metalocus.agents.checkpoint import Corrupt
from metalocus.envs import InvalidTask
from metalocus.experiments.config import RunConfig
from metalocus.experiments.runs import Busy, write_progress
from metalocus.experiments.training import train

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Train the run; exit code 0, or 2 if trying again is of no use."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    config, out = RunConfig.from_json(sys.stdin.read()), Path(sys.argv[1])
    try:
        train(config, out, lambda done, total: write_progress(out / config.name, done, total))
    except (InvalidTask, Corrupt, Busy) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
