"""A sweep, its status and a soak, for people."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from metalocus.experiments.display import duration
from metalocus.experiments.probes.rows import counted
from metalocus.experiments.runs.provenance import made_line
from metalocus.experiments.sweeps.gather import SHARED
from metalocus.experiments.sweeps.status import Status

if TYPE_CHECKING:  # a table needs nothing of what a soak runs
    from metalocus.experiments.sweeps.soak import Soaked

MOST_LINES = 20
"""Of runs or failures that are shown; `--json` shows all."""


def sweep_lines(found: Mapping[str, Any]) -> list[str]:
    """The scores of a sweep, where they are, and how they were made."""
    scores, lines = found["scores"], []
    shown = [name for name in SHARED if len({row[name] for row in scores}) > 1]
    for row in scores:
        numbers = f"{row['mean']:7.3f}  {row['low']:7.3f} to {row['high']:7.3f}"
        settings = [f"{name} {row[name]}" for name in shown]
        title = " · ".join([row["title"], *settings])
        lines.append(f"{numbers}  {counted(row['runs'], 'run'):>8}  {title}")
    if lines:
        lines = ["  score: mean, lowest to highest run", *lines, ""]
    lines += [f"left out: {name}: {reason}" for name, reason in found["left_out"].items()]
    if found["runs"]:
        made = f"{counted(found['runs'], 'run')} in {found['out']}"
        lines.append(f"{made}; every measurement with what made it: {found['results']}")
    else:
        lines.append(f"no run in {found['out']} is finished")
    return lines + _made_lines([place for row in scores for place in row["made"]])


def _made_lines(places: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where runs were made, with all sources that were used in a place in one line."""
    sources: dict[str, set[str]] = defaultdict(set)
    for place in places:
        alike = json.dumps([place["versions"], place["machine"]])
        sources[alike].add(place["source"])
    lines = []
    for alike, names in sources.items():
        versions, machine = json.loads(alike)
        made = {"versions": versions, "machine": machine, "source": ", ".join(sorted(names))}
        lines.append(made_line(made))
    more = len(lines) - MOST_LINES
    return lines[:MOST_LINES] + [f"and {more} more; --json shows all"] * (more > 0)


def status_lines(found: Status) -> list[str]:
    """How far a sweep is."""
    counts = ", ".join(f"{count} {state}" for state, count in found.counts.items() if count)
    left = "" if found.seconds_left is None else f"; about {duration(found.seconds_left)} left"
    lines = [f"{counted(found.total, 'run')}: {counts}{left}"]
    running = list(found.running.items())
    lines += [f"  {name}: {said}" for name, said in running[:MOST_LINES]]
    for each in found.failures[:MOST_LINES]:
        attempts = counted(each.attempts, "attempt")
        tried = f" ({attempts}, the last on {each.host})" if each.attempts else ""
        lines += [f"FAILED {each.run}: {each.reason}{tried}"]
        lines += [f"  again: {each.command}"] * bool(each.command)
    more = len(running) + len(found.failures) - len(lines[1:])
    if len(found.failures) > MOST_LINES or len(running) > MOST_LINES:
        lines.append(f"and {max(more, 0)} more; --json shows all")
    unfinished = found.total - found.counts["done"] - found.counts["running"]
    if unfinished and found.commands:
        lines += [f"to go on: {command}" for command in found.commands]
    return lines


def soak_lines(found: Soaked) -> list[str]:
    """What was done and what it cost."""
    return [f"{count:6}  {what.replace('_', ' ')}" for what, count in found.to_dict().items()]
