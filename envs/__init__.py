"""Task families for learning inside an episode, as NumPy cores and Gymnasium environments.

Importing this package registers every family with Gymnasium under ``metalocus/``.
"""

from .episodes import Episodes
from .family import Family, InvalidTask
from .layout import Layout
from .registry import families, make_episodes, make_family, register

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
