"""Results as tables on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table

from metalocus.experiments.claims.wording import (
    AS_BUILT,
    SIGNS,
    check,
    checks,
    findings,
    heading,
    measured,
    outcome,
    region,
    standing,
    words,
)
from metalocus.experiments.debate.headline import SMOKE, SMOKE_WARNING
from metalocus.experiments.probes.rows import counted
from metalocus.experiments.runs.provenance import made_by, made_line

WIDTH = 118
"""Of a file or a pipe."""
ROOMY = 100
"""Columns of a terminal that has room for what was found beside what was predicted."""
STYLES = {"supported": "green", "refuted": "red", "undecided": "yellow"}


def verdict_table(found: Mapping[str, Any]) -> None:
    """Every finding on every task with the measured interval and the verdict; a line on the checks.

    Args:
        found: the name of the ``preset``, ``verdicts`` and, of a whole debate, the ``headline``.
    """
    if found["preset"]["name"] == SMOKE:
        _print(f"[bold red]{SMOKE_WARNING}[/]\n")
    for verdict in found["verdicts"]:
        if findings(verdict):
            _print(_verdicts(verdict, narrow=_width() < ROOMY))
        if standing(verdict):
            _print(f"[bold red]{verdict['claim']}: {standing(verdict)}[/]\n")
    _print(_checks(found["verdicts"]))
    for sentence in found.get("headline", ()):
        _print(f"\n{escape(sentence)}")


def _verdicts(verdict: Mapping[str, Any], narrow: bool) -> Table:
    """The findings of a claim; what was found stands below a prediction on a narrow terminal."""
    title = f"{heading(verdict['claim'], verdict['number'])}: {verdict['statement']}"
    table = Table(
        title=escape(title), title_justify="left", title_style="bold", expand=True, show_lines=True
    )
    table.add_column("predicts" if not narrow else "predicts, and found on each task", ratio=2)
    if not narrow:
        table.add_column("found on each task", ratio=3)
    for prediction in findings(verdict):
        quantity = verdict["quantities"][prediction["quantity"]]
        says = f"{prediction['says']} ({quantity['about']}; {region(prediction)})"
        said = f"[bold]{prediction['side']}[/]: {escape(says)}"
        by_task = _by_task(prediction, quantity["tasks"])
        table.add_row(*([Group(said, by_task)] if narrow else [said, by_task]))
    return table


def _by_task(prediction: Mapping[str, Any], measured_on: Mapping[str, Any]) -> Table:
    """What was measured and judged, a line a task."""
    lines = Table.grid(padding=(0, 2), expand=True)
    for ratio in (2, 3, 3):
        lines.add_column(ratio=ratio)
    for task, judged in prediction["tasks"].items():
        verdict = f"{SIGNS[judged['verdict']]} {outcome(judged)}"
        style = STYLES[judged["verdict"]]
        lines.add_row(escape(words(task)), measured(measured_on[task]), f"[{style}]{verdict}[/]")
    return lines


def _checks(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """How many checks of the apparatus came out as built, and which did not."""
    found = [
        (f"{verdict['claim']}: {each['says']}, {words(task)}", check(judged))
        for verdict in verdicts
        for each in checks(verdict)
        for task, judged in each["tasks"].items()
    ]
    failed = [f"{outcome_of}: {says}" for says, outcome_of in found if outcome_of != AS_BUILT]
    count = f"{len(found) - len(failed)} of {len(found)} as built"
    return escape("\n".join([f"checks of the apparatus, true by construction: {count}", *failed]))


def _width() -> int:
    """Columns of the terminal; wide enough for a file or a pipe."""
    return Console().width if sys.stdout.isatty() else WIDTH


def _print(shown: Table | str) -> None:
    """Wrapped by words at the terminal's width."""
    Console(width=_width(), highlight=False).print(shown)


def runs_table(found: Sequence[Mapping[str, Any]]) -> None:
    """A row for every run, with the reason if it is damaged."""
    table = Table()
    table.add_column("run")
    table.add_column("steps", justify="right")
    table.add_column("final score", justify="right")
    table.add_column("state")
    table.add_column("folder", overflow="fold")
    for run in found:
        score = "" if run["score"] is None else f"{run['score']:.3f}"
        of = "" if run["state"] == "finished" else f" of {run['total']:,}"
        row = (run["title"], f"{run['steps']:,}{of}", score, run["state"], run["folder"])
        table.add_row(*map(escape, row))
    _print(table)


def evaluation_table(found: Mapping[str, Any]) -> None:
    """Mean return and score of the agent and the references, the best first."""
    title = f"{found['title']} · {found['episodes']:,} fresh episodes"
    own = found["agent"], f"{found['agent']} (greedy)"
    table = Table(title=title, title_justify="left")
    for column in ("policy", "return (95%)", f"score (random 0, {found['best']} 1)"):
        table.add_column(column)
    policies = sorted(found["policies"].items(), key=lambda item: -item[1]["mean"])
    for name, row in policies:
        mine = "bold" if name in own else ""
        reward = f"{row['mean']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
        score = "" if row["score"] is None else f"{row['score']:.3f}"
        table.add_row(name, reward, score, style=mine)
    _print(table)


def return_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for every mean return, the greatest of each setting first."""
    lines = []
    for env, arguments, rows in _by_setting(found):
        if len(found) > 1:
            lines.append(f"{env} {arguments}".strip() + ":")
        for row in rows:
            interval = f"95% [{row['low']:.3f}, {row['high']:.3f}]"
            exact = "  exact" if row["exact"] else ""
            mean = f"{row['policy']}: {row['mean']:.3f}"
            lines.append(f"{mean}  {interval}  {counted(row['episodes'], 'episode')}{exact}")
    return lines


def return_page(found: Sequence[Mapping[str, Any]], command: str) -> str:
    """Mean returns as a page of Markdown, a row for every setting.

    Args:
        found: the mean returns.
        command: that makes the page.
    """
    episodes, seed = found[0]["episodes"], found[0]["seed"]
    lines = [
        "# References",
        "",
        "Mean return (total reward of an episode) ± half of its 95% interval, the best first, on",
        f"{episodes:,} fresh episodes of seed {seed}. All policies meet the same ones, so their",
        "differences are surer than the intervals. **Bold**: provably Bayes-optimal. `oracle` is",
        f"told the task. Made by `{command}`.",
        made_line(made_by("metalocus.experiments.scoring.returns")),
    ]
    shown = None
    for env, arguments, rows in _by_setting(found):
        if env != shown:
            lines += ["", f"## {env}", "", "| arguments | mean return |", "| --- | --- |"]
        shown = env
        lines.append(f"| {f'`{arguments}`' if arguments else 'defaults'} | {_in_a_row(rows)} |")
    return "\n".join(lines) + "\n"


def _in_a_row(rows: Sequence[Mapping[str, Any]]) -> str:
    """Mean returns in one setting, side by side."""
    cells = []
    for row in rows:
        name = f"**{row['policy']}**" if row["exact"] else row["policy"]
        cells.append(f"{name} {row['mean']:.2f} ± {(row['high'] - row['low']) / 2:.2f}")
    return " · ".join(cells)


def _by_setting(
    found: Sequence[Mapping[str, Any]],
) -> list[tuple[str, str, list[Mapping[str, Any]]]]:
    """Environment, arguments and mean returns, the greatest first, of every setting."""
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in found:
        arguments = " ".join(f"{name}={value}" for name, value in row["env_kwargs"].items())
        grouped.setdefault((row["env"], arguments), []).append(row)
    return [
        (env, arguments, sorted(rows, key=lambda row: -row["mean"]))
        for (env, arguments), rows in grouped.items()
    ]
