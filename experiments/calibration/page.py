"""The calibration as a page of Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from scipy import stats

from metalocus import __version__
from metalocus.experiments.calibration.calibrate import LEAST, MOST, Calibrated
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.scoring.intervals import CONFIDENCE

NOTES: Mapping[str, Sequence[str]] = {
    "locus": (
        "Under `mean` a greedy control that has lost its counts goes by the mean of the very",
        "episodes that it is measured on, which leans to the arm that is better in these: so the",
        "total comes out too small. A choice that is smooth in the mean does not do this.",
    ),
    "latency": (
        "Crossings have intervals by Fieller's rule, which are too wide where a curve jumps.",
    ),
}
"""What is to be known beside the numbers of a probe."""


def calibration_page(found: Sequence[Calibrated], seconds: Mapping[str, float]) -> str:
    """The coverage of every effect, a table for each probe.

    Args:
        found: what came of each effect.
        seconds: CPU seconds by probe.
    """
    r = found[0].replications
    uncertain = [each for each in found if not each.constant]
    inside = [each for each in uncertain if LEAST <= each.coverage <= MOST]
    failed = [each for each in uncertain if not each.holds]
    covered = sum(each.covered for each in uncertain) / (r * len(uncertain))
    lines = [
        "# Calibration of the probes' intervals",
        "",
        "How often does a 95% interval hold what is known? Each effect below is known exactly and",
        f"was measured {r:,} times on fresh episodes. Made by",
        f"`metalocus calibrate --replications {r} --out docs/probes/calibration.md`,",
        f"version {__version__}, in {sum(seconds.values()):,.0f} CPU seconds.",
        "",
        f"Of {len(uncertain)} numbers that vary, {len(inside)} are covered in {LEAST:.0%} to"
        f" {MOST:.0%} of the replications, and {covered:.1%} of all their intervals hold.",
        f"By chance {_beside(r):.1%} of perfect intervals would lie outside; numbers of one agent",
        "share their episodes and lie there together.",
        _verdict(failed),
        "",
        "*Known* is by a sum over all 4,096 histories of the bandit with two arms and seven",
        "trials, each weighted by its probability under the agent's own policy; by a symmetry of",
        "task and agent; or by the probabilities of which the control is made. *Found* is the mean",
        "over replications, *width* the standard error that is claimed over the spread that is",
        "found (1 is honest), *covered* has its own 95% interval. A number that is the same in",
        "every episode is certain: it must be what is known, and *constant* says that it was.",
        "",
        f"Not calibrated: {_others(found)}. What they must find of a control is not known",
        "beforehand but for constants, or (`strategy`) one measurement takes half a minute.",
    ]
    for probe, of_probe in groupby(found, key=lambda each: each.effect.probe):
        lines += ["", f"## {probe}", "", *_table(list(of_probe))]
        lines += ["", *NOTES.get(probe, ()), f"{seconds[probe]:,.1f} CPU seconds."]
    return "\n".join(lines) + "\n"


def as_records(found: Sequence[Calibrated]) -> list[dict[str, Any]]:
    """The same numbers, ready for JSON."""
    return [
        {
            "probe": each.effect.probe,
            "agent": each.effect.agent,
            **each.effect.setting.to_dict(),
            "episodes": each.effect.episodes,
            "quantity": each.effect.quantity,
            "label": each.effect.label,
            "known": each.effect.known,
            "mean": each.mean,
            "replications": each.replications,
            "covered": each.covered,
        }
        for each in found
    ]


def _others(found: Sequence[Calibrated]) -> str:
    """The probes without an effect, by name."""
    among = {each.effect.probe for each in found}
    return ", ".join(f"`{name}`" for name in PROBES if name not in among)


def _beside(replications: int) -> float:
    """Chance that a perfect interval is covered in another part of the replications."""
    low, high = np.ceil(LEAST * replications - 1e-9), np.floor(MOST * replications + 1e-9)
    chance = stats.binom(replications, CONFIDENCE)
    return float(1.0 - chance.cdf(high) + chance.cdf(low - 1))


def _verdict(failed: Sequence[Calibrated]) -> str:
    """Which effects are not covered as they should be."""
    if not failed:
        return "None of them is surely outside."
    names = ", ".join(f"{_name(each)} ({each.coverage:.1%})" for each in failed)
    return f"Surely outside, in bold: {names}."


def _name(each: Calibrated) -> str:
    """An effect in a few words."""
    effect = each.effect
    return " ".join(filter(None, (effect.probe, f"`{effect.quantity}`", effect.label)))


def _table(found: Sequence[Calibrated]) -> list[str]:
    """A row for each effect."""
    head = ("agent", "setting", "number", "known", "because", "found", "width", "covered")
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for each in found:
        effect = each.effect
        env = effect.setting.env.removeprefix("metalocus/").removesuffix("-v0")
        setting = f"{env}, {effect.episodes} episodes"
        number = " ".join(filter(None, (f"`{effect.quantity}`", effect.label)))
        cells = (f"`{effect.agent}`", setting, number, f"{effect.known:.3f}", effect.why)
        lines.append(f"| {' | '.join((*cells, *_came(each)))} |")
    return lines


def _came(each: Calibrated) -> tuple[str, str, str]:
    """Mean, width and coverage."""
    if each.constant:
        return f"{each.mean:.3f}", "", "constant" if each.holds else "**constant, and not it**"
    low, high = each.interval
    said = f"{each.coverage:.1%} ({low:.0%} to {high:.0%})"
    said = said if each.holds else f"**{said}**"
    none = f", {each.missing} found none" if each.missing else ""
    return f"{each.mean:.3f}", f"{each.width:.2f}", said + none
