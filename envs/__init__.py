"""What is learned: task families as batched NumPy cores, and as Gymnasium and SB3 environments.

Read ``family.py`` first (what a task is), then ``families/bernoulli_bandit.py`` (the simplest one)
and ``episodes.py`` (N running episodes), which ``single.py``, ``vector.py`` and ``sb3.py`` wrap.
Importing this package registers every family with Gymnasium under ``metalocus/``.
"""

from metalocus.envs.checks import InvalidTask
from metalocus.envs.episodes import Episodes
from metalocus.envs.family import Family
from metalocus.envs.layout import Layout
from metalocus.envs.registry import FAMILIES, make_episodes, make_family, register
from metalocus.envs.setting import Setting

__all__ = [
    "FAMILIES",
    "Episodes",
    "Family",
    "InvalidTask",
    "Layout",
    "Setting",
    "make_episodes",
    "make_family",
    "register",
]

register()
