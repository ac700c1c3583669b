"""The comparison of all agents as a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from metalocus.experiments.runs.provenance import made_line

KINDS = {
    "trained": "Trained by PPO, weights frozen when measured",
    "online": "Rules that update a memoryless policy's weights after every trial, at rates tuned on"
    " bandits and reversals (elsewhere those of the two-armed bandit)",
    "reference": "References",
}
Entry = Mapping[str, Any]


def comparison_page(found: Mapping[str, Any]) -> str:
    """Scores of every agent on every setting by kind, then what training took."""
    preset, tasks = found["preset"], found["tasks"]
    rows = _by_agent(found["entries"])
    lines = [
        "# Agents",
        "",
        "Score on fresh episodes, choices sampled: 0 is random choice, **1** the best reference.",
        f"Mean of {preset['seeds']} seeds, then the least and the greatest of them; each played",
        f"{preset['episodes']:,} episodes. Made by `metalocus compare`, preset {preset['name']}.",
        made_line(found["made"]),
        "",
        *(f"* `{name}`: {_described(task)}" for name, task in tasks.items()),
    ]
    for kind, title in KINDS.items():
        of_kind = {name: own for name, own in rows.items() if _kind(own) == kind}
        if of_kind:
            lines += ["", f"## {title}", "", *_table(of_kind, tasks, _score)]
    trained = {name: own for name, own in rows.items() if _kind(own) == "trained"}
    if trained:
        lines += ["", "## What training took", ""]
        lines += ["Million steps · CPU seconds · wall seconds · parameters (means over seeds).", ""]
        lines += _table(trained, tasks, _cost)
    return "\n".join(lines) + "\n"


def _described(task: Mapping[str, Any]) -> str:
    """A task in words and by its arguments."""
    arguments = " ".join(f"{name}={value}" for name, value in task["env_kwargs"].items())
    env = f"`{task['env']} {arguments}`".replace(" `", "`")
    return f"{task['title']} ({env}); the best reference is `{task['best']}`"


def _by_agent(entries: Iterable[Entry]) -> dict[str, dict[str, Entry]]:
    """Entries by agent and task."""
    rows: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        rows.setdefault(entry["agent"], {})[entry["task"]] = entry
    return rows


def _kind(own: Mapping[str, Entry]) -> str:
    kind: str = next(iter(own.values()))["kind"]
    return kind


def _table(
    rows: Mapping[str, Mapping[str, Entry]], tasks: Iterable[str], shown: Any
) -> Sequence[str]:
    """A row for each agent and a column for each task; empty where an agent cannot play."""
    columns = list(tasks)
    lines = [f"| agent | {' | '.join(columns)} |", "| --- |" + " --- |" * len(columns)]
    for name, own in rows.items():
        texts = [shown(own[task]["seeds"]) if task in own else "" for task in columns]
        lines.append(f"| {name} | {' | '.join(texts)} |")
    return lines


def _score(seeds: Sequence[Mapping[str, Any]]) -> str:
    values = [each["score"] for each in seeds]
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def _cost(seeds: Sequence[Mapping[str, Any]]) -> str:
    names = ("training_cpu_seconds", "wall_seconds", "parameters")
    rest = " · ".join(_whole([each[name] for each in seeds]) for name in names)
    return f"{np.mean([each['steps'] for each in seeds]) / 1e6:.2f} · {rest}"


def _whole(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.0f}" if known else "?"
