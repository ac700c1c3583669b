"""All replications as one page of Markdown: ours beside theirs, and what was not run yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from metalocus.experiments.replications.base import REPLICATIONS, SIZES, Outcome
from metalocus.experiments.replications.found import Found, judged, read_found
from metalocus.experiments.replications.output import (
    error_of,
    published,
    quantities,
    values_of,
)
from metalocus.experiments.runs.provenance import made_line

TUNED = (
    "Trainings by which the settings were chosen, at seeds that no replication uses (from 900 on),"
    " and what settings that were given up gave at the seeds of the replication; totals and regrets"
    " to the near-optimum on 10,000 fresh episodes (2,000 or 3,000 where they have 500 pulls)"
    " ± their standard errors."
)
CURVES = (
    "Score on fresh episodes during training, mean over seeds, by steps of each training: 0 is"
    " random choice, 1 the best reference of what is trained on."
)
TABLE = (
    "The table of the paper with ours in it, means over seeds, and the paper's in parentheses; a"
    " dash where nothing was run."
)
MARKS = {Outcome.PASSED: "yes", Outcome.MISSED: "**no**", Outcome.NOT_RUN: "not run yet"}


def replications_page(out: Path) -> str:
    """The page of every replication that there is.

    Args:
        out: folder of results; what is not there is listed as not run yet.
    """
    found = {
        name: _again(each, read_found(name, out)) for name, each in sorted(REPLICATIONS.items())
    }
    lines = [
        "# Replications",
        "",
        "Published results, run again by one command each. *Ours* is the mean over training seeds",
        "of the final checkpoint on fresh episodes (least to greatest seed, where there are",
        "several) ± its standard error over episodes; *published* is as printed, ± the standard",
        "error of the paper's test episodes where it can be told. *CPU minutes* are those in which",
        "the agents of a part and all that they began with were trained, the most of its seeds. A",
        "check passes if every seed does. Made of the results that are kept in docs/replications",
        "by `metalocus replicate --page replications.md --out docs/replications`.",
        "",
        _state(found),
        "",
        "| replication | | parts run | checks passed | missed | not run yet |",
        "| --- | --- | --- | --- | --- | --- |",
        *(_summary(each) for each in found.values()),
    ]
    for each in found.values():
        lines += ["", *_section(each)]
    return "\n".join(lines) + "\n"


def _again(replication: Any, kept: Found | None) -> Found:
    """The replication in its present words, with what was measured."""
    if kept is None:
        return judged(replication, "full", {})
    return judged(replication, kept["size"], kept["parts"])


def _state(found: Mapping[str, Found]) -> str:
    """Which parts are run at full size, and what the other ones take."""
    size, run, owed, minutes = SIZES["full"], [], 0, 0.0
    for name, each in REPLICATIONS.items():
        for part in each.parts:
            if found[name]["size"] == size.name and found[name]["parts"][part.name]["seeds"]:
                run.append(part.name)
            else:
                owed += 1
                minutes += part.minutes * part.sized(size).seeds
    done = ", ".join(run) or "none"
    return (
        f"**Run at full size: {len(run)} of {len(run) + owed} parts ({done}). Owed: the other"
        f" {owed}, about {minutes / 60:,.0f} CPU hours in all; of them this page says nothing"
        " but what the paper found.**"
    )


def _summary(found: Found) -> str:
    """A row of the table at the top."""
    run = sum(bool(part["seeds"]) for part in found["parts"].values())
    outcomes = [check["outcome"] for check in found["checks"]]
    counts = " | ".join(str(outcomes.count(each)) for each in Outcome)
    name = found["replication"]
    return f"| [{name}](#{name}) | {found['title']} | {run} of {len(found['parts'])} | {counts} |"


def _section(found: Found) -> list[str]:
    """One replication."""
    about = SIZES[found["size"]].about
    lines = [
        f"## {found['replication']}",
        "",
        f"{found['title'][:1].upper()}{found['title'][1:]}. {found['source']}.",
        "",
        f"**What the paper did.** {found['did']}",
        "",
        f"**What is done otherwise here.** {found['otherwise']}",
    ]
    done = [part for part, each in found["parts"].items() if each["seeds"]]
    results = [*_table(found), *_folded(_results(found))] if found["table"] else _results(found)
    if done:
        lines += ["", f"Size {found['size']}: {about}.", *results, *_spent(found)]
        lines += ["", *_made(found)]
    elif found["published"]:
        lines += results
    lines += ["", *_checks(found)]
    left = [part for part in found["parts"] if part not in done]
    if left:
        minutes = sum(found["parts"][part]["minutes"] for part in left)
        lines += [
            "",
            f"Not run yet: {', '.join(left)}. About {minutes:,.0f} CPU minutes a seed, full size:",
            "",
            f"```\nmetalocus replicate {found['replication']} --size full --parts"
            f" {' '.join(left)}\n```",
        ]
    lines += _curves(found)
    if found["tried"]:
        lines += ["", "### Tuned", "", TUNED, "", *_tried(found)]
    return lines


def _table(found: Found) -> Iterator[str]:
    """The paper's table: ours (theirs)."""
    rows = found["table"]
    if not rows:
        return
    columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
    yield from ("", TABLE, "")
    yield f"| | {' | '.join(columns)} |"
    yield f"| --- |{' --- |' * len(columns)}"
    for row, cells in rows.items():
        shown = (_cell(found, *cells[column]) if column in cells else "" for column in columns)
        yield f"| {row} | {' | '.join(shown)} |"


def _cell(found: Found, part: str, quantity: str) -> str:
    """Ours (theirs)."""
    own, theirs = list(values_of(found, part, quantity).values()), published(found, part, quantity)
    mean = _number(float(np.mean(own))) if own else "–"
    return mean if theirs is None else f"{mean} ({theirs['value']:g})"


def _results(found: Found) -> Iterator[str]:
    """The table of all quantities."""
    yield from (
        "",
        "| part | quantity | ours | seeds | published |",
        "| --- | --- | --- | --- | --- |",
    )
    for part, each in found["parts"].items():
        for quantity in quantities(found, part):
            own, theirs = values_of(found, part, quantity), published(found, part, quantity)
            if not own and theirs is None:
                continue
            shown = _ours(list(own.values()), error_of(found, part, quantity))
            yield f"| {each['about']} | {quantity} | {shown} | {len(own)} | {_theirs(theirs)} |"


def _folded(lines: Iterable[str]) -> Iterator[str]:
    """Lines that are seen when asked for, since there are hundreds."""
    yield from ("", "<details><summary>Every quantity, with ranges and errors</summary>")
    yield from lines
    yield from ("", "</details>")


def _spent(found: Found) -> Iterator[str]:
    """What the trainings took."""
    trained = [part for part in found["parts"].values() if any(part["trained"].values())]
    if trained:
        spent = (f"{part['about']} {_minutes(part):.1f}" for part in trained)
        yield from ("", f"CPU minutes of training: {'; '.join(spent)}.")


def _minutes(part: Mapping[str, Any]) -> float:
    """CPU minutes of all trainings of a part, the most of its seeds."""
    by_seed: Iterable[Mapping[str, Any]] = part["trained"].values()
    return max(sum(float(each["cpu_minutes"]) for each in seed.values()) for seed in by_seed)


def _curves(found: Found) -> Iterator[str]:
    """How the scores rose in the trainings of the parts that missed a check."""
    missed = {each["part"]: None for each in found["checks"] if each["outcome"] == Outcome.MISSED}
    parts = [found["parts"][name] for name in missed]
    parts = [part for part in parts if any(part["trained"].values())]
    if parts:
        yield from ("", "### Curves of what was missed", "", CURVES, "")
        yield from ("| part | training | score by steps |", "| --- | --- | --- |")
    for part in parts:
        # the same training at every seed; names differ where a seed has tasks of its own
        for same in zip(*(seed.items() for seed in part["trained"].values()), strict=True):
            names, trained = zip(*same, strict=True)
            scores = np.array([[score for _, score in each["curve"]] for each in trained])
            steps = [step for step, _ in trained[0]["curve"]]
            rose = (f"{n:,}: {s:.3f}" for n, s in zip(steps, scores.mean(axis=0), strict=True))
            name = ", ".join(dict.fromkeys(names))
            yield f"| {part['about']} | {name} | {', '.join(rose)} |"


def _ours(values: list[float], error: float | None) -> str:
    """Mean, range, error."""
    if not values:
        return "not run yet"
    shown = _number(float(np.mean(values)))
    if len(values) > 1:
        shown += f" ({_number(min(values))} to {_number(max(values))})"
    return shown if error is None else f"{shown} ± {_number(error)}"


def _made(found: Found) -> Iterator[str]:
    """How the parts were made, a line for those that were made alike."""
    alike: dict[str, list[str]] = {}
    for name, part in found["parts"].items():
        if part["seeds"]:
            alike.setdefault(made_line(part["made"]), []).append(name)
    if len(alike) == 1:
        yield from alike
    else:
        yield from (f"{', '.join(names)}: {line}" for line, names in alike.items())


def _theirs(figure: Mapping[str, Any] | None) -> str:
    """The paper's."""
    if figure is None:
        return ""
    error = "" if figure["error"] is None else f" ± {figure['error']:g}"
    return f"{figure['value']:g}{error} ({figure['source']})"


def _number(value: float) -> str:
    """With two digits after the point, more of what is small."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"


def _checks(found: Found) -> Iterator[str]:
    """Every check with its reason."""
    yield from ("| check | must be | found | passed | reason |", "| --- | --- | --- | --- | --- |")
    for check in found["checks"]:
        about = found["parts"][check["part"]]["about"]
        values = ", ".join("none" if v is None else _number(v) for v in check["values"])
        mark = MARKS[Outcome(check["outcome"])]
        yield (
            f"| {check['quantity']}, {about} | {check['region']} | {values} | {mark} |"
            f" {check['why']} |"
        )


def _tried(found: Found) -> Iterator[str]:
    """The trainings by which settings were chosen."""
    yield "| task | agent | steps | seed | CPU seconds | total | regret |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for each in found["tried"]:
        total, regret = (
            f"{_number(each[name])} ± {_number(each[f'{name}_se'])}" for name in ("total", "regret")
        )
        yield (
            f"| {each['task']} | {each['agent']} | {each['steps']:,} | {each['seed']} |"
            f" {each['seconds']:.0f} | {total} | {regret} |"
        )


def lines_of(found: Found) -> list[str]:
    """A replication on the terminal: its quantities and its checks."""
    return [found["title"], *_results(found), *_spent(found), "", *_checks(found)]
