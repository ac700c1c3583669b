"""Predictions judged task by task, all those of a claim as one family of tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from metalocus.experiments.scoring.intervals import (
    Tails,
    Verdict,
    holm,
    interval,
    more_seeds,
    tails,
)

MIXED = "mixed"
"""The summary of a prediction whose tasks disagree."""
ByTask = Mapping[str, Mapping[str, Sequence[float | None]]]
"""A value for each training seed, by quantity and task."""
Key = tuple[str, str, str, float]
"""A test: quantity, task, kind of region, bound."""


def judged(
    values: ByTask, predictions: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """What was measured, and what it says of every prediction.

    Holm's correction is over the tests of all predictions that could come out either way. Two
    predictions of the same border are one test. Predictions that are true by construction are
    tested alone.

    Args:
        values: of every quantity.
        predictions: each with ``quantity``, ``relation``, ``bound``, ``by_construction``.

    Returns:
        By quantity and task: ``values``, and their mean with its interval, None where a seed has
        no number. And the predictions, each with ``tasks``: by task ``verdict``, ``p`` (both
        directions, corrected), ``more_seeds`` that would decide; and ``verdict`` over all tasks,
        ``mixed`` where they disagree.
    """
    quantities = {
        name: {task: {"values": list(seeds), **_interval(seeds)} for task, seeds in tasks.items()}
        for name, tasks in values.items()
    }
    family = dict(_tests(values, (each for each in predictions if not each["by_construction"])))
    corrected = dict(zip(family, holm([each.both for each in family.values()]), strict=True))
    found = []
    for prediction in predictions:
        tasks = {}
        for task, seeds in values[prediction["quantity"]].items():
            key = _key(prediction, task)
            in_family = not prediction["by_construction"]
            p, tests = (corrected.get(key), len(family)) if in_family else (None, 1)
            tasks[task] = _judge(prediction, seeds, p, tests)
        outcomes = {each["verdict"] for each in tasks.values()}
        overall = outcomes.pop() if len(outcomes) == 1 else MIXED
        found.append({**prediction, "tasks": tasks, "verdict": overall})
    return quantities, found


def _tests(values: ByTask, predictions: Iterator[Mapping[str, Any]]) -> Iterator[tuple[Key, Tails]]:
    """Every different test with its result, where all seeds have a number."""
    for prediction in predictions:
        for task, seeds in values[prediction["quantity"]].items():
            numbers = _numbers(seeds)
            if numbers is not None:
                found = tails(numbers, prediction["relation"], prediction["bound"])
                yield _key(prediction, task), found


def _key(prediction: Mapping[str, Any], task: str) -> Key:
    """Equal for two predictions of one border, whichever side of it they name."""
    kind = "within" if prediction["relation"] == "within" else "border"
    return prediction["quantity"], task, kind, prediction["bound"]


def _judge(
    prediction: Mapping[str, Any], seeds: Sequence[float | None], p: float | None, tests: int
) -> dict[str, Any]:
    """The verdict on one task; ``p`` is corrected, None to take the test alone."""
    numbers, of = _numbers(seeds), (prediction["relation"], prediction["bound"])
    if numbers is None:
        return {"verdict": str(Verdict.UNDECIDED), "p": None, "more_seeds": None}
    found = tails(numbers, *of)
    p = found.both if p is None else p
    verdict = found.verdict(p)
    undecided = verdict is Verdict.UNDECIDED
    more = more_seeds(numbers, *of, tests) if undecided else 0
    return {"verdict": str(verdict), "p": p, "more_seeds": more}


def _interval(seeds: Sequence[float | None]) -> dict[str, Any]:
    """Mean and interval over seeds; None where a seed has no number."""
    numbers = _numbers(seeds)
    if numbers is None:
        return {"estimate": None, "low": None, "high": None, "seeds": len(seeds)}
    return asdict(interval(numbers))


def _numbers(seeds: Sequence[float | None]) -> list[float] | None:
    """The values of all seeds; None if one of them has none."""
    numbers = [value for value in seeds if value is not None]
    return numbers if len(numbers) == len(seeds) else None
