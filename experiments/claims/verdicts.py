"""Verdicts in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def measured(quantity: Mapping[str, Any]) -> str:
    """Estimate and interval of a quantity."""
    return f"{quantity['estimate']:.3f} [{quantity['low']:.3f}, {quantity['high']:.3f}]"


def outcome(prediction: Mapping[str, Any]) -> str:
    """The verdict, and whether it could have been another."""
    return f"{prediction['verdict']}{', by construction' * prediction['by_construction']}"


def seeds_to_decide(prediction: Mapping[str, Any]) -> str:
    """How many more training seeds an undecided prediction wants."""
    if prediction["verdict"] != "undecided":
        return ""
    more = prediction["more_seeds"]
    return "over 1000 more" if more is None else f"{more} more"
