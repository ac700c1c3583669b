"""Task families for learning inside an episode, as NumPy cores and Gymnasium environments.

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
