"""Verdicts in words, for the terminal and the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metalocus.experiments.scoring.intervals import MOST_SEEDS


def measured(quantity: Mapping[str, Any]) -> str:
    """Estimate and interval of a quantity."""
    return f"{quantity['estimate']:.3f} [{quantity['low']:.3f}, {quantity['high']:.3f}]"


def outcome(prediction: Mapping[str, Any]) -> str:
    """The verdict, and whether the construction of the agents decided it."""
    if prediction["by_construction"]:
        return f"{prediction['verdict']}, by construction"
    return str(prediction["verdict"])


def seeds_to_decide(prediction: Mapping[str, Any]) -> str:
    """How many more training seeds an undecided prediction needs; empty if it is decided."""
    if prediction["verdict"] != "undecided":
        return ""
    more = prediction["more_seeds"]
    return f"over {MOST_SEEDS} more" if more is None else f"{more} more"
