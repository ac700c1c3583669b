"""What was found of a replication: its measurements, judged, as one record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from metalocus.experiments.replications.base import Replication

Found = dict[str, Any]


def read_found(name: str, out: Path) -> Found | None:
    """The last result of a replication in a folder; None if there is none that can be read."""
    try:
        found = json.loads((out / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and {"size", "parts"} <= found.keys() else None


def judged(
    replication: Replication,
    size: str,
    done: Mapping[str, Mapping[str, Any]],
) -> Found:
    """A replication with what was measured, its checks judged.

    Args:
        replication: what was run.
        size: name of the size; at any but ``full`` the outcomes are of smaller runs.
        done: by part that was measured, the quantities by seed (``seeds``), what
            :func:`~metalocus.experiments.replications.replicate.trained` says by seed
            (``trained``), and what :func:`~metalocus.experiments.runs.provenance.made_by` says
            (``made``).
    """
    nothing: dict[str, Any] = {"seeds": {}, "trained": {}, "made": None}
    parts: dict[str, dict[str, Any]] = {
        part.name: {
            "about": part.about,
            "panel": part.panel,
            "minutes": part.minutes,
            **{name: done.get(part.name, nothing)[name] for name in nothing},
        }
        for part in replication.parts
    }
    checks = []
    for check in replication.checks:
        seeds = [values.get(check.quantity) for values in parts[check.part]["seeds"].values()]
        outcome = check.outcome(seeds)
        checks.append(
            {**asdict(check), "region": check.region, "values": seeds, "outcome": str(outcome)}
        )
    return {
        "replication": replication.name,
        "title": replication.title,
        "source": replication.source,
        "did": replication.did,
        "otherwise": replication.otherwise,
        "size": size,
        "parts": parts,
        "published": [asdict(each) for each in replication.published],
        "checks": checks,
        "tried": [asdict(each) for each in replication.tried],
        "table": {row: dict(cells) for row, cells in replication.table.items()},
    }
