"""Every agent that needs no training, by name, and the best reference of a family."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from types import ModuleType

from metalocus.agents.agent import UNRANKED, NamedAgent, ReferencePolicy
from metalocus.agents.online.learner import OnlineLearner
from metalocus.agents.references.generic.policies import Oracle
from metalocus.envs import Family, InvalidTask
from metalocus.envs.discovery import Registry, classes, unknown

REFERENCES = Registry("reference", "metalocus.agents.references", classes(ReferencePolicy))  # type: ignore[type-abstract]
ONLINE = Registry("online rule", "metalocus.agents.online", classes(OnlineLearner))  # type: ignore[type-abstract]


def _controls(module: ModuleType) -> Iterator[tuple[str, type[NamedAgent]]]:
    """The named agents of a module that are neither references nor online rules."""
    for name, cls in classes(NamedAgent)(module):  # type: ignore[type-abstract]
        if not issubclass(cls, ReferencePolicy | OnlineLearner):
            yield name, cls


CONTROLS = Registry("control", "metalocus.agents.controls", _controls)


def make_named(name: str, family: Family) -> NamedAgent:
    """The untrained agent of a name, for a family.

    Raises:
        InvalidTask: unknown name, or the agent cannot play this family.
    """
    return find_named(name)(family)


def find_named(name: str) -> type[NamedAgent]:
    """The class of an untrained agent.

    Raises:
        InvalidTask: unknown name.
    """
    for registry in (REFERENCES, ONLINE, CONTROLS):
        if name in registry:
            return registry[name]
    raise InvalidTask(unknown("policy", name, chain(REFERENCES, ONLINE, CONTROLS)))


def best_reference(family: Family) -> ReferencePolicy:
    """The reference that is nearest to the Bayes optimum of a family.

    Of those that can play it, an exact optimum comes first, then what is near one, then the
    oracle, an upper bound. Of equals the first name in the alphabet is taken. Every reference
    that can play a family is made within seconds, see its ``why_not``.
    """
    playing = [cls for cls in REFERENCES.values() if cls.why_not(family) is None]
    best = max(playing, key=lambda cls: cls.optimality(family))
    return Oracle(family) if best.optimality(family) == UNRANKED else best(family)
