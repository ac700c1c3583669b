"""Predictions and verdicts in words, for the terminal and the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metalocus.experiments.scoring.intervals import MOST_SEEDS

RELATIONS = {">=": "at least", "<=": "at most"}
AS_BUILT = "as built"
CHECKS = {"supported": AS_BUILT, "refuted": "NOT as built", "undecided": "not shown by these seeds"}
"""What a verdict says of a check of the apparatus."""
SIGNS = {"supported": "✓", "refuted": "✗", "undecided": "?"}
"""Beside the colour of a verdict, for those who do not see it."""


def measured(values: Mapping[str, Any]) -> str:
    """Mean and interval of a quantity on a task."""
    if values["estimate"] is None:
        return "no number"
    return f"{values['estimate']:.3f} [{values['low']:.3f}, {values['high']:.3f}]"


def short(number: float | None) -> str:
    """A number in two digits, as it stands in a mark: ``.97``; a dash for none."""
    if number is None:
        return "–"
    text = f"{number:.2f}".replace("-0.00", "0.00")
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def region(prediction: Mapping[str, Any]) -> str:
    """The predicted region: ``at least 0.05``."""
    bound = f"{prediction['bound']:g}"
    if prediction["relation"] == "within":
        return f"between -{bound} and {bound}"
    return f"{RELATIONS[prediction['relation']]} {bound}"


def outcome(judged: Mapping[str, Any]) -> str:
    """The verdict on a task; of an undecided one also how many more seeds would decide it."""
    if judged["verdict"] != "undecided":
        return str(judged["verdict"])
    if judged["p"] is None:
        return "undecided, there is no number"
    more = judged["more_seeds"]
    needed = f"over {MOST_SEEDS}" if more is None else str(more)
    return f"undecided, {needed} more {'seed' if more == 1 else 'seeds'} would decide"


def p_value(judged: Mapping[str, Any]) -> str:
    """The corrected p value on a task."""
    if judged["p"] is None:
        return "–"
    return "p < .001" if judged["p"] < 0.001 else f"p = {judged['p']:.3f}".replace("0.", ".", 1)


def check(judged: Mapping[str, Any]) -> str:
    """Whether what is true by construction was measured to be so on a task.

    Too few seeds, or a seed without a number, show neither.
    """
    return CHECKS[judged["verdict"]]


def heading(name: str, number: int | None) -> str:
    """Number and name of a claim, or its name alone."""
    return words(name) if number is None else f"{number} {words(name)}"


def words(name: str) -> str:
    """A name in code as words: ``five arms``."""
    return name.replace("_", " ")


def seeds(verdict: Mapping[str, Any], preset: Mapping[str, Any]) -> str:
    """The training seeds of a claim in words: ``5 of 10 training seeds``.

    Args:
        verdict: on the claim.
        preset: of the debate, as in its ``verdicts.json``.
    """
    whole = whole_seeds(verdict, preset)
    told = f"{of_all(verdict['seeds']['run'], whole)} training seeds"
    few = whole < preset["of_seeds"]
    return f"{told}, as one takes over ten CPU minutes" if few else told


def whole_seeds(verdict: Mapping[str, Any], preset: Mapping[str, Any]) -> int:
    """How many training seeds a claim has at the preset, whether or not they were all run."""
    whole: int = preset["of_seeds"]
    return min(whole, verdict["seeds"]["most"] or whole)


def of_all(run: int, whole: int) -> str:
    """``10``, or ``3 of 10`` where not all were run."""
    return f"{run}" if run == whole else f"{run} of {whole}"


def findings(verdict: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The predictions of a claim that could have come out either way."""
    return [each for each in verdict["predictions"] if not each["by_construction"]]


def checks(verdict: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The predictions of a claim that are true by construction and check the apparatus."""
    return [each for each in verdict["predictions"] if each["by_construction"]]


def restated(verdict: Mapping[str, Any]) -> bool:
    """Whether the register has a change of what a claim says, and not of its training alone."""
    lines = [line for entry in verdict["register"]["entries"] for line in entry["before"]]
    return not all(line.startswith("training ") for line in lines)


def standing(verdict: Mapping[str, Any]) -> str:
    """What is amiss with a claim's entry in the register; nothing if it equals its newest."""
    register = verdict["register"]
    if register["equal"]:
        return ""
    return "differs from its registered entry" if register["entries"] else "not registered"
