"""What a survey found as a page of Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.runs.named import title_of
from metalocus.experiments.runs.provenance import made_by, made_line
from metalocus.experiments.survey.kept import Task
from metalocus.experiments.survey.standing import EPISODES, SIMPLE, UNTAUGHT

ABOVE = "above every simple rule"
UNMEASURED = "above chance; no simple rule sees what is shown here"
"""Where all of them are at chance, to be above them says little."""
BLIND = 0.05
"""Score below which a rule earns next to nothing."""


def survey_page(tasks: Sequence[Task], intro: str = "") -> str:
    """Every task with a table of its agents, then every probe with a sentence for each agent.

    Agents of which a probe has nothing to say are named in one line for each reason.

    Args:
        tasks: of :func:`~metalocus.experiments.survey.survey.survey`.
        intro: Markdown that stands at the top, under the title.
    """
    lines = [
        "# What the probes find",
        "",
        *([intro.strip(), ""] if intro else []),
        "## How to read it",
        "",
        f"Every probe is asked of every agent, on {tasks[0].findings[0]['episodes']:,} fresh"
        " episodes. Intervals are 95% over episodes of one agent:",
        "another training seed may differ. One line is made again by `metalocus probe RUN --probe"
        " NAME` with as many `--episodes`,",
        "the page by `metalocus survey RUNS --agents NAMES --page FILE`.",
        "",
        f"Each task begins with what its agents earn in {EPISODES:,} episodes. The score is the"
        " mean return on the scale where random choice is 0",
        f"and the best reference, the last row, is 1. The simple rules are {', '.join(SIMPLE)}, as"
        f" far as they can play the task, and, where something is shown, {UNTAUGHT}: it chooses at"
        " every trial as at the first.",
        "An agent is above one if the whole 95% interval of the difference, over the same episodes,"
        " is above 0. An agent that is not above",
        "all of them is marked: what probes find of it is of an agent that has not learned the"
        " task.",
        "",
        made_line(made_by("metalocus.experiments.survey.survey", *PROBES.sources())),
    ]
    for task in tasks:
        lines += ["", f"## {title_of(task.setting)}", "", f"`{task.setting}`", ""]
        lines += _table(task.standing)
        for probe in PROBES:
            lines += ["", f"### {probe}: {PROBES[probe].question}", ""]
            lines += _about([each for each in task.findings if each["probe"] == probe])
    return "\n".join(lines) + "\n"


def _table(standing: Mapping[str, Any]) -> list[str]:
    """A row for each agent, then for each rule that it stands beside."""
    lines = ["| | steps trained | return | score | |", "| --- | ---: | --- | ---: | --- |"]
    rules = [row["score"] for row in standing["rules"][1:-1]]
    blind = all(score is None or score < BLIND for score in rules)
    above = UNMEASURED if blind else ABOVE
    for row in standing["agents"]:
        behind = ", ".join(row["not_above"])
        verdict = f"has not learned this task: not above {behind}" if behind else above
        steps = "-" if row["steps"] is None else f"{row['steps']:,}"
        lines.append(f"| {row['agent']} | {steps} | {_earned(row)} | {verdict} |")
    return lines + [f"| *{row['agent']}* | | {_earned(row)} | |" for row in standing["rules"]]


def _earned(row: Mapping[str, Any]) -> str:
    mean, low, high = row["return"]
    places = 1 if abs(mean) >= 10 else 3
    score = "-" if row["score"] is None else f"{row['score']:z.2f}"
    return f"{mean:.{places}f} [{low:.{places}f}, {high:.{places}f}] | {score}"


def _about(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each agent of which there is a finding, and for each reason why there is none."""
    lines = [f"* **{_who(each)}.** {each['sentence']}" for each in findings if "sentence" in each]
    silent: dict[str, list[str]] = {}
    for each in findings:
        if "none" in each:
            silent.setdefault(each["none"], []).append(_who(each))
    return lines + [f"* No answer for {', '.join(who)}: {why}." for why, who in silent.items()]


def _who(finding: Mapping[str, Any]) -> str:
    """The agent; where several are compared the one that makes the histories comes first."""
    others = [each["agent"] for each in finding["others"]]
    return f"{finding['agent']} with {', '.join(others)}" if others else str(finding["agent"])
