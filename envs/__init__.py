"""Task families for learning inside an episode, as NumPy cores and Gymnasium environments.

Importing this package registers every family with Gymnasium under ``metalocus/``.
"""

from metalocus.envs.episodes import Episodes
from metalocus.envs.family import Family, InvalidTask
from metalocus.envs.layout import Layout
from metalocus.envs.registry import families, make_episodes, make_family, register

__all__ = [
    "Episodes",
    "Family",
    "InvalidTask",
    "Layout",
    "families",
    "make_episodes",
    "make_family",
    "register",
]

register()
