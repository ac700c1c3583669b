"""What there is: environments, agents, references, probes and claims, found in their folders."""

from __future__ import annotations

from typing import Any

from metalocus.agents.catalogue import catalogue
from metalocus.agents.cells.base import trainables
from metalocus.envs import families
from metalocus.experiments.claims.base import claims
from metalocus.experiments.probes.base import catalogue as probes
from metalocus.experiments.scoring.reference_scores import configurations, pairs

Entry = dict[str, Any]


def inventory() -> dict[str, list[Entry]]:
    """Name and one line on everything, by kind.

    A reference comes with the ``envs`` that it can play and the ``configurations`` of them,
    defaults and examples, that `metalocus score` takes.
    """
    agents = [
        {"name": name, "about": agent.summary, "kind": "trained"}
        for name, agent in trainables().items()
    ]
    for folder, kind in (("online", "online"), ("controls", "control")):
        for name, cls in catalogue(folder).items():
            agents.append({"name": name, "about": cls.summary, "kind": kind})
    return {
        "envs": [{"name": name, "about": family.separates} for name, family in families().items()],
        "agents": agents,
        "references": _references(),
        "probes": [{"name": name, "about": cls.question} for name, cls in probes().items()],
        "claims": [{"name": name, "about": claim.statement} for name, claim in claims().items()],
    }


def _references() -> list[Entry]:
    """The references, each with what it can play."""
    played: dict[str, list[Entry]] = {name: [] for name in catalogue("references")}
    for env_id, kwargs, name in pairs(configurations()):
        played[name].append({"env": env_id, "env_kwargs": dict(kwargs)})
    return [
        {
            "name": name,
            "about": cls.summary,
            "envs": sorted({each["env"] for each in played[name]}),
            "configurations": played[name],
        }
        for name, cls in catalogue("references").items()
    ]
