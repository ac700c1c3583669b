"""One training run in a process of its own: ``python -m metalocus.experiments.training.worker``.

Takes the folder of runs and the driver's process id, and reads the config as JSON from
standard input. Dies with its driver, so that a killed one leaves no second writer behind.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Train the run; exit code 0, or 2 if trying again is of no use."""
    out, driver = Path(sys.argv[1]), int(sys.argv[2])
    _die_with(driver)
    # only now the slow imports: a driver may be killed meanwhile
    from metalocus.agents.agent import NonFinite
    from metalocus.agents.ppo.files import Corrupt
    from metalocus.envs import InvalidTask
    from metalocus.experiments.runs.config import RunConfig
    from metalocus.experiments.runs.folder import Busy, write_progress
    from metalocus.experiments.training.train import train

    config = RunConfig.from_json(sys.stdin.read())
    try:
        train(config, out, lambda done, total: write_progress(out / config.name, done, total))
    except (InvalidTask, Corrupt, Busy, NonFinite) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _die_with(driver: int) -> None:
    """End this process when the driver ends, which it may have done already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != driver:
        sys.exit("the driver is gone")


if __name__ == "__main__":
    sys.exit(main())
