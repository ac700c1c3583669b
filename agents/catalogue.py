"""Finding every agent that needs no training, by folder."""

from __future__ import annotations

from functools import cache

from metalocus.agents.agent import UNRANKED, NamedAgent, ReferencePolicy
from metalocus.agents.references.generic.oracle import Oracle
from metalocus.envs import Family, InvalidTask
from metalocus.envs.discovery import named

FOLDERS = ("references", "online", "controls")


@cache
def catalogue(folder: str) -> dict[str, type[NamedAgent]]:
    """Agents defined in the modules of one folder, by name in alphabetical order."""
    return named(f"metalocus.agents.{folder}", NamedAgent)  # type: ignore[type-abstract]


def make_named(name: str, family: Family) -> NamedAgent:
    """The untrained agent of a name, for a family.

    Raises:
        InvalidTask: unknown name, or the agent cannot play this family.
    """
    known = {key: cls for folder in FOLDERS for key, cls in catalogue(folder).items()}
    if name not in known:
        raise InvalidTask(f"unknown policy {name!r}; choose from {', '.join(known)}")
    return known[name](family)


def best_reference(family: Family) -> ReferencePolicy:
    """The exact optimum on a family if it can be had, else the nearest policy to it.

    Where none is known, it is the oracle, which is told what the others must find out.
    """
    known = catalogue("references").values()
    playing = [
        cls for cls in known if issubclass(cls, ReferencePolicy) and cls.why_not(family) is None
    ]
    best = max(playing, key=lambda cls: cls.optimality(family))  # the first one of equals
    return best(family) if best.optimality(family) > UNRANKED else Oracle(family)
