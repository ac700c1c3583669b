"""Where does learning inside an episode live: in the state, the weights or the context?

``metalocus.envs`` is what is learned, ``metalocus.agents`` who learns, ``metalocus.experiments``
what is asked. Read README.md first.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metalocus.agents.trained.frozen import TrainedAgent

__version__ = version("metalocus")


def load(*files: str | os.PathLike[str]) -> None:
    """Enter what files of one's own define, beside what is there; see docs/extending.md.

    A file is a Python module with any of a Family, a Cell, AGENTS, a TRAINER, an online rule, a
    ReferencePolicy, a control, a Probe and a Claim. Without files, what is installed under the
    entry points ``metalocus.plugins`` is entered, which the first look at a name does too.

    Args:
        files: paths; a file that is loaded already stays as it is.

    Raises:
        InvalidTask: a file cannot be read or imported, defines nothing, something incomplete or
            a name that exists, or has changed since it was loaded; nothing of it is entered.
    """
    from pathlib import Path

    from metalocus.envs import discovery  # waits until it is needed: it imports NumPy

    discovery.load(*map(Path, files))


def shipped(agent: str, task: str) -> TrainedAgent:
    """An agent that comes with the package, trained for the full debate: ready to probe.

    Example: ``metalocus.shipped("lstm", "five_arms")``

    Args:
        agent: its name, as for ``metalocus train``.
        task: short name of the setting that it was trained on.

    Raises:
        NotARun: this version ships nothing.
        InvalidTask: that agent, or that task of it, is not among what is shipped.
        Corrupt: it is damaged.
    """
    from metalocus.experiments.shipped import read  # waits until it is needed: it imports torch

    return read.shipped_agent(agent, task)
