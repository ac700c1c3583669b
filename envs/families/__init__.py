"""The task families, one a file; a module here is found and registered by its presence.

``bernoulli_bandit.py`` is the simplest and the model for a new one; modules that begin with ``_``
are helpers of several families. What a family must define is in :mod:`metalocus.envs.family`.
"""
