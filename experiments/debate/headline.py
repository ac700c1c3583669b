"""What a debate settled, for which agent and tasks, and what it did not, in three sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metalocus.experiments.claims.wording import findings

SMOKE = "smoke"
"""The preset that hardly trains: what it measures settles nothing."""
SMOKE_WARNING = (
    "This is a smoke test: its agents are hardly trained, and its verdicts mean nothing."
)


@dataclass(frozen=True)
class Finding:
    """A prediction that was judged, with what its quantity was measured on.

    Attributes:
        prediction: as in the claim's verdict.
        values: the quantity by task, one for each training seed.
    """

    prediction: Mapping[str, Any]
    values: Mapping[str, Sequence[float]]

    @property
    def region(self) -> tuple[str, str, float]:
        """What the prediction is of; equal for two sides that predict the same."""
        prediction = self.prediction
        return prediction["quantity"], prediction["relation"], prediction["bound"]

    @property
    def opposite(self) -> tuple[str, str, float]:
        """The region beyond the bound."""
        quantity, relation, bound = self.region
        return quantity, {">=": "<=", "<=": ">="}[relation], bound

    def words(self, titles: Mapping[str, str]) -> str:
        """The prediction, with the tasks on which the mean over seeds says otherwise."""
        said = str(self.prediction["says"]).rstrip(",")
        sign = 1 if self.prediction["relation"] == ">=" else -1
        sign *= -1 if self.prediction["verdict"] == "refuted" else 1
        bound = self.prediction["bound"]
        unlike = [
            titles.get(task, task)
            for task, values in self.values.items()
            if sign * (np.mean(values) - bound) < 0
        ]
        settled = self.prediction["verdict"] != "undecided"
        return f"{said} (on average, not on {_list(unlike)})" if settled and unlike else said


def headline(agent: str, found: Mapping[str, Any]) -> list[str]:
    """Three sentences: what is settled and of what, what is not, and what was not asked.

    Args:
        agent: that the claims are about, in words.
        found: what :func:`~metalocus.experiments.debate.main.run_debate` found.
    """
    preset, titles = found["preset"], found["tasks"]
    if preset["name"] == SMOKE:
        return [SMOKE_WARNING, "Nothing is settled by it.", "Run preset quick or full to judge."]
    supported, refuted, undecided = (
        _by_tasks(_judged(found["verdicts"], outcome), titles)
        for outcome in ("supported", "refuted", "undecided")
    )
    settled = supported or "nothing"
    refuted = f"Refuted: {refuted}" if refuted else "No other prediction was refuted"
    still = f"not settled is whether, {undecided}" if undecided else "none is undecided"
    return [
        f"Settled for the {agent}, over {preset['seeds']} training seeds: {settled}.",
        f"{refuted}; {still}.",
        "Other agents, larger tasks and other rules that update weights were not tested, and these"
        " verdicts say nothing of them.",
    ]


def _judged(verdicts: Iterable[Mapping[str, Any]], outcome: str) -> Iterator[Finding]:
    """The findings of an outcome, each once, whichever side predicted it.

    Left out are those whose opposite says the same: that which is refuted because its opposite is
    supported, and the second of two opposites that are undecided.
    """
    for verdict in verdicts:
        judged = [
            Finding(prediction, verdict["quantities"][prediction["quantity"]]["values"])
            for prediction in findings(verdict)
        ]
        supported = {each.opposite for each in judged if each.prediction["verdict"] == "supported"}
        said = supported if outcome == "refuted" else set()
        for each in judged:
            if each.prediction["verdict"] == outcome and each.region not in said:
                said |= {each.region, each.opposite} if outcome == "undecided" else {each.region}
                yield each


def _by_tasks(judged: Iterable[Finding], titles: Mapping[str, str]) -> str:
    """Findings in words, those on the same tasks together."""
    grouped: dict[tuple[str, ...], list[str]] = {}
    for each in judged:
        grouped.setdefault(tuple(each.values), []).append(each.words(titles))
    return "; ".join(
        f"on {_list([titles.get(task, task) for task in tasks])}, {'; '.join(words)}"
        for tasks, words in grouped.items()
    )


def _list(titles: Sequence[str]) -> str:
    """Titles, which may hold commas, as a list in words."""
    words = [f"“{title}”" for title in titles]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
