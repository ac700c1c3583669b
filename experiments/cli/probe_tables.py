"""What a probe found, on the terminal: the sentence, then a table."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from metalocus.agents.agent import STORES
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.probes.rows import Row, wrapped

WIDTH = 118
"""Of a file or a pipe."""
COLUMNS = 4
"""Trials that a table shows of a curve."""


def probe_tables(found: Mapping[str, Any]) -> None:
    """The finding in one sentence, what was played, and the main numbers with their intervals.

    Args:
        found: of a probe, with the title of what it measured.
    """
    probe = PROBES[found["probe"]]()
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    result, rows = dict(found), probe.rows(dict(found))
    print(wrapped(probe.sentence(result), console.width))
    print(f"\n{found['title']} · {found['episodes']:,} fresh episodes, intervals 95%")
    shown = probe.shown_quantities() or [(name, name) for name in {r.quantity: 0 for r in rows}]
    for quantity, meaning in shown:
        each = [row for row in rows if row.quantity == quantity]
        if each:
            console.print(f"\n[bold]{quantity}[/]: {meaning}")
            measured = any(row.value is not None for row in each)
            console.print(_table(each) if measured else "no number in any row")


def _table(rows: Sequence[Row]) -> Table:
    """A line for each label, if there are any; a column for each of some trials, or one."""
    table, labelled = Table(), any(row.label for row in rows)
    trials = _some(sorted({row.trial for row in rows if row.trial is not None}))
    if labelled:
        table.add_column("")
    for head in (f"trial {trial}" for trial in trials) if trials else ("value",):
        table.add_column(head, justify="right")
    for label in dict.fromkeys(row.label for row in rows if not _nothing(rows, row.label)):
        at = {row.trial: row for row in rows if row.label == label}
        numbers = [str(at[trial]) if trial in at else "" for trial in trials or at]
        table.add_row(*[label] * labelled, *numbers)
    return table


def _nothing(rows: Sequence[Row], label: str) -> bool:
    """Whether the label is of a store that holds nothing: all its numbers are zeros."""
    of = [row for row in rows if row.label == label]
    return label.endswith(STORES) and {row.value for row in of} in ({0.0}, {0.0, None})


def _some(trials: Sequence[int]) -> list[int]:
    """The first and the last, and some between."""
    last = len(trials) - 1
    if last < COLUMNS:
        return list(trials)
    return [trials[round(i * last / (COLUMNS - 1))] for i in range(COLUMNS)]
