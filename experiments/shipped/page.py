"""The shipped verdicts as Markdown, for docs/results.md.

``python -m metalocus.experiments.shipped.page docs/results.md`` writes them between its marks.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from metalocus.agents.ppo.files import write_atomically
from metalocus.envs.checks import require
from metalocus.experiments.claims.wording import (
    SIGNS,
    findings,
    heading,
    measured,
    of_all,
    outcome,
    region,
    seeds,
)
from metalocus.experiments.shipped.read import shipped_debate

BEGIN, END = "<!-- verdicts -->\n", "<!-- /verdicts -->\n"
"""Around what is written, in the page."""


def write_verdicts(page: Path) -> None:
    """Put the shipped verdicts between the marks of a page.

    Raises:
        InvalidTask: the page lacks the marks.
        NotARun, Corrupt: see :func:`~metalocus.experiments.shipped.read.shipped_debate`.
    """
    text = page.read_text()
    marked = text.count(BEGIN) == text.count(END) == 1
    require(marked, f"{page} needs the lines {BEGIN.strip()} and {END.strip()}")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    write_atomically(page, f"{before}{BEGIN}{verdicts(shipped_debate())}{END}{after}".encode())


def verdicts(found: Mapping[str, Any]) -> str:
    """What a debate found, as Markdown: a table a claim, a line a prediction and task.

    Args:
        found: as in a debate's ``verdicts.json``.
    """
    preset, made = found["preset"], found["made"]
    run = f"{of_all(preset['seeds'], preset['of_seeds'])} training seeds"
    about = f"Preset {preset['name']}, {run}, judged at commit {made['commit']}, {made['date']}."
    not_run = ", ".join(found["not_run"].values())
    rest = f" Claims not run yet: {not_run}." if not_run else ""
    return "\n".join(
        [about + rest, "", *(line for each in found["verdicts"] for line in _of(each, preset))]
    )


def _of(verdict: Mapping[str, Any], preset: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a claim; none for one that only checks the apparatus."""
    if not findings(verdict):
        return
    yield f"**{heading(verdict['claim'], verdict['number'])}.** {verdict['statement']}"
    if verdict["seeds"]["run"] != preset["seeds"]:
        yield f"({seeds(verdict, preset)})"
    yield ""
    yield "| side: prediction | task | mean [95%] | verdict |"
    yield "| --- | --- | --- | --- |"
    for prediction in findings(verdict):
        on = verdict["quantities"][prediction["quantity"]]["tasks"]
        said = f"{prediction['side']}: {prediction['says']} ({region(prediction)})"
        for task, judged in prediction["tasks"].items():
            sign = f"{SIGNS[judged['verdict']]} {outcome(judged)}"
            yield f"| {said} | `{task}` | {measured(on[task])} | {sign} |"
            said = ""
    yield ""


def main() -> None:
    """Write the verdicts into the page named on the command line."""
    parser = argparse.ArgumentParser(description="Write the shipped verdicts into a page.")
    parser.add_argument("page", type=Path, metavar="PAGE")
    write_verdicts(parser.parse_args().page)


if __name__ == "__main__":
    main()
