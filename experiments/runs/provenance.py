"""How numbers were made: what every table, page and file of measurements names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from metalocus.agents.catalogue import CONTROLS, ONLINE, REFERENCES
from metalocus.agents.cells.base import TRAINABLES
from metalocus.envs import FAMILIES
from metalocus.experiments.runs.records import machine, versions
from metalocus.experiments.runs.source import source_digest


def made_by(*modules: str) -> dict[str, Any]:
    """When, by which code, with which packages and where numbers are made; ready for JSON.

    Args:
        modules: that compute them, by full name; all that is found by name (tasks and agents)
            counts too.

    Returns:
        ``date`` of UTC, ``source``, a digest of the code, ``versions`` and ``machine``.
    """
    registries = (FAMILIES, TRAINABLES, REFERENCES, ONLINE, CONTROLS)
    found = {module for registry in registries for module in registry.sources()}
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "source": source_digest(*modules, *found),
        "versions": versions(),
        "machine": machine(),
    }


def each_made_by(rows: Sequence[Mapping[str, Any]], *modules: str) -> list[dict[str, Any]]:
    """Rows of numbers, each with what :func:`made_by` says of it as ``made``."""
    made = made_by(*modules)
    return [{**row, "made": made} for row in rows]


def made_line(made: Mapping[str, Any]) -> str:
    """What :func:`made_by` says, as one sentence; older runs do not say on which machine."""
    packages = ", ".join(f"{name} {number}" for name, number in sorted(made["versions"].items()))
    where = made["machine"]
    place = "{host} ({processor}, {instruction set})".format(**where) if where else "some machine"
    day = f"on {made['date']} " if "date" in made else ""
    return f"Made {day}on {place} by source {made['source']} with {packages}."
