"""Every agent that needs no training, by name, and the best reference of a family."""

from __future__ import annotations

from itertools import chain

from metalocus.agents.agent import UNRANKED, NamedAgent, ReferencePolicy
from metalocus.agents.references.generic.policies import Oracle
from metalocus.envs import Family, InvalidTask
from metalocus.envs.discovery import Registry, classes, unknown

REFERENCES = Registry("reference", "metalocus.agents.references", classes(ReferencePolicy))  # type: ignore[type-abstract]
ONLINE = Registry("online rule", "metalocus.agents.online", classes(NamedAgent))  # type: ignore[type-abstract]
CONTROLS = Registry("control", "metalocus.agents.controls", classes(NamedAgent))  # type: ignore[type-abstract]


def make_named(name: str, family: Family) -> NamedAgent:
    """The untrained agent of a name, for a family.

    Raises:
        InvalidTask: unknown name, or the agent cannot play this family.
    """
    for registry in (REFERENCES, ONLINE, CONTROLS):
        if name in registry:
            return registry[name](family)
    raise InvalidTask(unknown("policy", name, chain(REFERENCES, ONLINE, CONTROLS)))


def best_reference(family: Family) -> ReferencePolicy:
    """The exact optimum on a family if it can be had, else the nearest policy to it.

    Where none is known, it is the oracle, which is told what the others must find out.
    """
    playing = [cls for cls in REFERENCES.values() if cls.why_not(family) is None]
    best = max(playing, key=lambda cls: cls.optimality(family))  # the first one of equals
    return best(family) if best.optimality(family) > UNRANKED else Oracle(family)
