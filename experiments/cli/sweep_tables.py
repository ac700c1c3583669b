"""A sweep, its status and a soak, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from metalocus.experiments.display import duration
from metalocus.experiments.probes.rows import counted
from metalocus.experiments.sweeps.status import Status

if TYPE_CHECKING:  # a table needs nothing of what a soak runs
    from metalocus.experiments.sweeps.soak import Soaked

MOST_LINES = 20
"""Of runs or failures that are shown; `--json` shows all."""


def sweep_lines(found: Mapping[str, Any]) -> list[str]:
    """The scores of a sweep, and where they are."""
    lines = []
    for row in found["scores"]:
        scores = f"{row['mean']:7.3f}  {row['low']:7.3f} to {row['high']:7.3f}"
        lines.append(f"{scores}  {counted(row['runs'], 'run'):>8}  {row['title']}")
    if lines:
        lines = ["  score: mean, lowest to highest run", *lines, ""]
    lines += [f"left out: {name}: {reason}" for name, reason in found["left_out"].items()]
    made = f"{counted(found['runs'], 'run')} in {found['out']}"
    return [*lines, f"{made}; every measurement with what made it: {found['results']}"]


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
