"""The calibration as a page of Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from scipy import stats

from metalocus.experiments.calibration.calibrate import LEAST, MOST, Calibrated
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.runs.provenance import made_by, made_line
from metalocus.experiments.scoring.sample import CONFIDENCE

NOTES: Mapping[str, Sequence[str]] = {
    "transplant": (
        "`dose` is the part of the way exchanged of linear means, which are compared. A subspace",
        "of known rank moves a constant, which tests hold: 1 (tests/experiments/probes). Half of",
        "the pairs are of opposite tasks, and the choice changes in few of them, so that intervals",
        "of 200 episodes are too narrow: of seeds 200 to 1,199 88.9% hold a quarter, 92.9% a half",
        "and 88.4% three quarters. The doses are therefore measured on 2,000 episodes.",
    ),
    "latency": (
        "Crossings have intervals by Fieller's rule on the curve between lags. `ninety` jumps to",
        "a later lag where the curve falls short of 90% by chance: its errors are not normal.",
    ),
    "optimality": (
        "What is lost is skewed (1.1 for `wsls`, 2.3 for `lapses_one`): drawn 40,000 times from",
        "the sum over histories, 94.6% and 94.2% of such intervals hold with 200 episodes.",
    ),
    "strategy": (
        "Fitted to 600 choices and without the network. Probabilities are read and not choices, so",
        "that only which episodes are whose is left to chance. For strategies see the confusion",
        "matrix on the probe's page.",
    ),
    "decode": (
        "On the first thousand seeds too few hold, by chance. The probe's number and error are",
        "those of a least-squares fit (to 1e-4), whose intervals hold in 92.3% of seeds 0 to 999",
        "and in 94.6% of seeds 1,000 to 3,999; of 20,000 samples drawn from the sum, with nothing",
        "fitted, 94.6%. So the fit's own variance, which the error leaves out, is not it.",
    ),
}
"""What is to be known beside the numbers of a probe."""


WHY_NOT: Mapping[str, str] = {
    "simulate": "its maps are fitted, and no map is known to be the best; 0 for a clone is a test",
    "ponder": "its controls gain nothing, or all that can be gained: constants, which tests hold",
    "induction": "the scores of a planted head are constants, which tests hold",
    "key_value": "the probability that a planted key writes is a constant, which tests hold",
}
"""Why a probe has no planted effect whose size varies."""


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
        f"seeds 0 to {r - 1:,}, in {sum(seconds.values()):,.0f} CPU seconds.",
        made_line(made_by(Calibrated.__module__, *PROBES.sources())),
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
        "Not calibrated:",
        "",
        *(f"* `{name}`: {why}." for name, why in WHY_NOT.items()),
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
