"""What a debate settled, for which agent and tasks, and what it did not, in three sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from metalocus.experiments.claims.wording import findings, of_all, words

SMOKE = "smoke"
"""The preset that hardly trains: what it measures settles nothing."""
SMOKE_WARNING = (
    "This is a smoke test: its agents are hardly trained, and its verdicts mean nothing."
)
MOST_TOLD = 6
"""Refuted predictions in a sentence that can still be read; the page has all."""
OUTCOMES = ("supported", "refuted", "undecided")


def headline(agent: str, found: Mapping[str, Any]) -> list[str]:
    """Three sentences: how many predictions of each side hold, what failed, what was not asked.

    A prediction counts once on every task that it is judged on.

    Args:
        agent: that the claims are about, in words.
        found: what :func:`~metalocus.experiments.debate.main.run_debate` found.
    """
    preset, verdicts = found["preset"], found["verdicts"]
    if preset["name"] == SMOKE:
        return [SMOKE_WARNING, "Nothing is settled by it.", "Run preset quick or full to judge."]
    counts: dict[str, Counter[str]] = {}
    for side, outcome in _judged(verdicts):
        counts.setdefault(side, Counter())[outcome] += 1
    told = "; ".join(f"of {side}, {_counted(each)}" for side, each in counts.items())
    return [
        f"For the {agent}, over {_seeds(preset, verdicts)}, each task judged by itself, the"
        f" predictions came out so: {told or 'none was judged'}.",
        _failed(verdicts, found["tasks"]),
        f"Not asked: {_left_out(found)}other agents and larger tasks; these verdicts say nothing of"
        " them.",
    ]


def _seeds(preset: Mapping[str, Any], verdicts: Iterable[Mapping[str, Any]]) -> str:
    """``10 training seeds``, and the claims that have other seeds."""
    others: dict[int, list[str]] = {}
    for each in verdicts:
        run = each["seeds"]["run"]
        if run != preset["seeds"]:
            others.setdefault(run, []).append(str(each["number"] or words(each["claim"])))
    told = "; ".join(
        f"{run} on {'claim' if len(claims) == 1 else 'claims'} {', '.join(claims)}"
        for run, claims in sorted(others.items())
    )
    few = f" ({told})" if told else ""
    return f"{of_all(preset['seeds'], preset['of_seeds'])} training seeds{few}"


def _judged(verdicts: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Side and outcome of every finding on every task."""
    for verdict in verdicts:
        for prediction in findings(verdict):
            for judged in prediction["tasks"].values():
                yield prediction["side"], judged["verdict"]


def _counted(outcomes: Counter[str]) -> str:
    """``60 supported, 3 refuted, 1 undecided``."""
    return ", ".join(f"{outcomes[each]} {each}" for each in OUTCOMES)


def _failed(verdicts: Iterable[Mapping[str, Any]], titles: Mapping[str, str]) -> str:
    """The refuted predictions in words, each with its side and the tasks it is refuted on."""
    failed = []
    for verdict in verdicts:
        for prediction in findings(verdict):
            tasks = [
                titles.get(task, task)
                for task, judged in prediction["tasks"].items()
                if judged["verdict"] == "refuted"
            ]
            if tasks:
                failed.append(f"{prediction['says']} ({prediction['side']}, on {_list(tasks)})")
    if not failed:
        return "No prediction was refuted."
    more = len(failed) - MOST_TOLD
    told = [*failed[:MOST_TOLD], *([f"and {more} more, marked below"] if more > 0 else [])]
    return f"Refuted: {'; '.join(told)}."


def _left_out(found: Mapping[str, Any]) -> str:
    """The claims that were not asked."""
    names = [*found["not_run"].values(), *found["not_asked"]]
    return f"{'claim' if len(names) == 1 else 'claims'} {', '.join(names)}; " if names else ""


def _list(titles: Sequence[str]) -> str:
    """Titles, which may hold commas, as a list in words."""
    words = [f"“{title}”" for title in titles]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
