"""What a survey found as a page of Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from metalocus.envs import Setting
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.runs.named import title_of


def survey_page(findings: Sequence[Mapping[str, Any]]) -> str:
    """Every task with every probe, and under it a sentence for each agent.

    Agents of which a probe has nothing to say are named in one line for each reason.

    Args:
        findings: of :func:`~metalocus.experiments.survey.survey.survey`.
    """
    episodes = findings[0]["episodes"]
    lines = [
        "# What the probes find",
        "",
        f"Every probe on every agent, {episodes:,} fresh episodes each, intervals 95% over",
        "episodes of one agent: another training seed may differ. One line of it is made again by",
        "`metalocus probe RUN --probe NAME`, the whole by `metalocus survey`.",
    ]
    for title, of_task in groupby(findings, key=_task):
        lines += ["", f"## {title}"]
        found = list(of_task)
        for probe in PROBES:
            lines += ["", f"### {probe}: {PROBES[probe].question}", ""]
            lines += _about([each for each in found if each["probe"] == probe])
    return "\n".join(lines) + "\n"


def _task(finding: Mapping[str, Any]) -> str:
    return title_of(Setting(finding["env"], **finding["env_kwargs"]))


def _about(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each agent of which there is a finding, and for each reason why there is none."""
    lines = [
        f"* **{each['agent']}.** {each['sentence']}" for each in findings if "sentence" in each
    ]
    silent: dict[str, list[str]] = {}
    for each in findings:
        if "none" in each:
            silent.setdefault(each["none"], []).append(each["agent"])
    return lines + [f"* No answer for {', '.join(who)}: {why}." for why, who in silent.items()]
