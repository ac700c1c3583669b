"""What there is: environments, agents, references, probes and claims, found in their folders."""

from __future__ import annotations

from typing import Any

from metalocus.agents.catalogue import catalogue
from metalocus.agents.cell import trainables
from metalocus.envs import families, make_family
from metalocus.experiments.claim import claims
from metalocus.experiments.probe import catalogue as probes

Entry = dict[str, Any]


def inventory() -> dict[str, list[Entry]]:
    """Name and one line on everything, by kind; references with the environments they play."""
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
        "references": [
            {"name": name, "about": cls.summary, "envs": _playable(cls)}
            for name, cls in catalogue("references").items()
        ],
        "probes": [{"name": name, "about": cls.question} for name, cls in probes().items()],
        "claims": [{"name": name, "about": claim.statement} for name, claim in claims().items()],
    }


def _playable(cls: Any) -> list[str]:
    """Ids of the environments that a reference can play with their default arguments."""
    return [name for name in families() if cls.why_not(make_family(name)) is None]
