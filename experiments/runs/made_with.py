"""What a run was made with that is no part of metalocus: recorded, and asked for when it lacks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.trainers.base import TRAINERS
from metalocus.envs import FAMILIES, InvalidTask
from metalocus.envs.discovery import OUTSIDE
from metalocus.envs.outside import Origin


def made_with(*modules: str) -> list[dict[str, str]]:
    """Where each of the modules that is from outside the package came from, ready for JSON."""
    return [asdict(OUTSIDE[name]) for name in sorted({*modules}) if name in OUTSIDE]


def require_there(env: str, agent: str, trainer: str, recorded: Any) -> None:
    """Check that what a run is made of is known, if it is from outside the package.

    Args:
        env: the environment's id.
        agent: the agent's name.
        trainer: the trainer's name.
        recorded: what :func:`made_with` gave when the run was made.

    Raises:
        InvalidTask: one of them is not; the message says what must be loaded.
        TypeError: nothing of that kind was recorded.
    """
    origins = [Origin(**each) for each in recorded]
    if not (env in FAMILIES and agent in TRAINABLES and trainer in TRAINERS):
        missing = [each for each in origins if each.module not in OUTSIDE]
        if missing:
            said = " and ".join(map(str, missing))
            how = ", ".join(dict.fromkeys(each.how for each in missing))
            raise InvalidTask(f"this run was made with {said}; {how}")
