"""What there is: environments, agents, references, probes and claims, from their registries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from metalocus.agents.catalogue import CONTROLS, ONLINE, REFERENCES
from metalocus.agents.cells.base import TRAINABLES
from metalocus.envs.registry import FAMILIES
from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.scoring.returns import configurations, pairs

Entry = dict[str, Any]


def inventory(kinds: Iterable[str] | None = None) -> dict[str, list[Entry]]:
    """Everything there is by kind: its name, one line about it, and what else its kind has.

    Args:
        kinds: some of ``ENTRIES``; all if None.
    """
    return {kind: ENTRIES[kind]() for kind in (ENTRIES if kinds is None else kinds)}


def environments() -> list[Entry]:
    """The task families."""
    return [{"name": name, "about": family.separates} for name, family in FAMILIES.items()]


def agents() -> list[Entry]:
    """Agents that are no references, with their ``kind``: trained, online or control."""
    trained = [(name, agent.summary, "trained") for name, agent in TRAINABLES.items()]
    online = [(name, cls.summary, "online") for name, cls in ONLINE.items()]
    controls = [(name, cls.summary, "control") for name, cls in CONTROLS.items()]
    return [
        {"name": name, "about": about, "kind": kind}
        for name, about, kind in (*trained, *online, *controls)
    ]


def references() -> list[Entry]:
    """The references, each with what it can play.

    ``envs`` are the environments, ``configurations`` their defaults and examples, which are what
    `metalocus score` plays.
    """
    played: dict[str, list[Entry]] = {name: [] for name in REFERENCES}
    for setting, name in pairs(configurations()):
        played[name].append(setting.to_dict())
    return [
        {
            "name": name,
            "about": cls.summary,
            "envs": sorted({each["env"] for each in played[name]}),
            "configurations": played[name],
        }
        for name, cls in REFERENCES.items()
    ]


def probes() -> list[Entry]:
    """The probes, by the question that each answers."""
    return [{"name": name, "about": cls.question} for name, cls in PROBES.items()]


def claims() -> list[Entry]:
    """The claims of the debate."""
    return [{"name": name, "about": claim.statement} for name, claim in CLAIMS.items()]


ENTRIES = {
    "envs": environments,
    "agents": agents,
    "references": references,
    "probes": probes,
    "claims": claims,
}
"""What lists each kind."""
