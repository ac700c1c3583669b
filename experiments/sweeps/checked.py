"""Whether runs can be made, asked once of each kind of run: trying one out takes milliseconds."""

from __future__ import annotations

from dataclasses import replace

from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.possible import LARGEST_SEED, require_possible

_POSSIBLE: set[str] = set()
"""Names of runs that can be made, with seed 0."""


def require_possible_once(config: RunConfig) -> None:
    """Raise :class:`InvalidTask` for a config that describes no run; good seeds are as one."""
    name = replace(config, seed=0).name if 0 <= config.seed <= LARGEST_SEED else config.name
    if name not in _POSSIBLE:
        require_possible(config)
        _POSSIBLE.add(name)
