"""Where does learning inside an episode live: in the state, the weights or the context?

``metalocus.envs`` is what is learned, ``metalocus.agents`` who learns, ``metalocus.experiments``
what is asked. Read README.md first.
"""

from importlib.metadata import version

__version__ = version("metalocus")
