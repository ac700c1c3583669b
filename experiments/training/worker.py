"""One training run in a process of its own: ``python -m metalocus.experiments.training.worker``.

Takes the folder of runs, the driver's process id, the run's name and the files that the driver
has loaded, and reads the config as JSON from standard input. Ends with its driver, so that a
killed one leaves no second writer.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from metalocus.experiments.training.processes import HOPELESS, begin_child


def main() -> int:
    """Train the run; exit code 0, or ``HOPELESS`` with one line on standard error."""
    out, driver, name = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    begin_child(driver)
    gc.disable()  # of what is imported next nothing is garbage
    # only now the slow imports: a driver may be killed meanwhile
    import torch

    from metalocus.agents.agent import NonFinite
    from metalocus.agents.ppo.files import Corrupt
    from metalocus.envs import InvalidTask
    from metalocus.envs.discovery import load
    from metalocus.experiments.errors import WrongUse
    from metalocus.experiments.runs.config import RunConfig
    from metalocus.experiments.runs.folder import Busy
    from metalocus.experiments.runs.progress import write_progress
    from metalocus.experiments.training.train import train

    gc.enable()
    torch.set_num_threads(1)
    try:
        load(*sys.argv[4:])
        config = RunConfig.from_json(sys.stdin.buffer.read())
        if config.name != name:
            raise WrongUse(
                "the source of the run has changed since the command began, or the command runs"
                " another copy of metalocus than the installed one: start it from another folder"
            )
        train(config, out, lambda progress: write_progress(out / name, progress))
    except (WrongUse, InvalidTask, Corrupt, Busy, NonFinite) as error:
        sys.stderr.buffer.write(f"{error}\n".encode("utf-8", "surrogateescape"))
        return HOPELESS
    return 0


if __name__ == "__main__":
    sys.exit(main())
