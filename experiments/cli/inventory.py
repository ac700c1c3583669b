"""What there is: environments, agents, references, probes and claims, found in their folders."""

from __future__ import annotations

from typing import Any

from metalocus.agents.catalogue import CONTROLS, ONLINE, REFERENCES
from metalocus.agents.cells.base import TRAINABLES
from metalocus.envs.registry import FAMILIES
from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.scoring.reference_scores import configurations, pairs

Entry = dict[str, Any]


def inventory() -> dict[str, list[Entry]]:
    """Name and one line on everything, by kind.

    A reference comes with the ``envs`` that it can play and the ``configurations`` of them,
    defaults and examples, that `metalocus score` takes.
    """
    agents = [
        {"name": name, "about": agent.summary, "kind": "trained"}
        for name, agent in TRAINABLES.items()
    ]
    for registry, kind in ((ONLINE, "online"), (CONTROLS, "control")):
        for name, cls in registry.items():
            agents.append({"name": name, "about": cls.summary, "kind": kind})
    return {
        "envs": [{"name": name, "about": family.separates} for name, family in FAMILIES.items()],
        "agents": agents,
        "references": _references(),
        "probes": [{"name": name, "about": cls.question} for name, cls in PROBES.items()],
        "claims": [{"name": name, "about": claim.statement} for name, claim in CLAIMS.items()],
    }


def _references() -> list[Entry]:
    """The references, each with what it can play."""
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
