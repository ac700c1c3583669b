"""Predictions and verdicts in words, for the terminal and the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metalocus.experiments.scoring.intervals import MOST_SEEDS

RELATIONS = {">=": "at least", "<=": "at most"}

AS_BUILT = "as built"


def measured(quantity: Mapping[str, Any]) -> str:
    """Estimate and interval of a quantity."""
    return f"{quantity['estimate']:.3f} [{quantity['low']:.3f}, {quantity['high']:.3f}]"


def region(prediction: Mapping[str, Any]) -> str:
    """The predicted region: ``at least 0.05``."""
    return f"{RELATIONS[prediction['relation']]} {prediction['bound']:g}"


def outcome(prediction: Mapping[str, Any]) -> str:
    """The verdict; of an undecided prediction also how many more training seeds would decide it."""
    if prediction["verdict"] != "undecided":
        return str(prediction["verdict"])
    more = prediction["more_seeds"]
    needed = f"over {MOST_SEEDS}" if more is None else str(more)
    return f"undecided, {needed} more {'seed' if more == 1 else 'seeds'} would decide"


def check(prediction: Mapping[str, Any]) -> str:
    """Whether what is true by construction was measured to be so."""
    return AS_BUILT if prediction["verdict"] == "supported" else "NOT as built"


def findings(verdict: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The predictions of a claim that could have come out either way."""
    return [each for each in verdict["predictions"] if not each["by_construction"]]


def checks(verdict: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The predictions of a claim that are true by construction and check the apparatus."""
    return [each for each in verdict["predictions"] if each["by_construction"]]
