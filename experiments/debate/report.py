"""The report: one self-contained page with verdicts, figures, and how each number was made."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from jinja2 import (
    Environment,
    PackageLoader,
    StrictUndefined,
    TemplateError,
    select_autoescape,
)
from markupsafe import Markup

from metalocus.agents.ppo.files import Corrupt, read_record, write_atomically
from metalocus.experiments.claims.wording import measured, outcome, seeds_to_decide
from metalocus.experiments.debate.figures import interval_figure, main_figure
from metalocus.experiments.runs.folder import NotARun

REPORT, FIGURE, VERDICTS = "report.html", "figure.svg", "verdicts.json"


def write_report(folder: Path) -> Path:
    """Write ``report.html`` and its main figure from ``verdicts.json``.

    Args:
        folder: of a finished debate.

    Returns:
        The page's path.

    Raises:
        NotARun: the folder holds no finished debate.
        Corrupt: its verdicts are damaged, or were written by another version.
    """
    verdicts = folder / VERDICTS
    if not verdicts.exists():
        raise NotARun(f"{folder} holds no finished debate; run `metalocus debate --out {folder}`")
    advice = "repeat the `metalocus debate` command that made it: runs and measurements are kept"
    found = read_record(verdicts, advice)
    try:
        figure = main_figure(found["curves"])
        page = render(found, folder, figure)
    except (ValueError, KeyError, TypeError, AttributeError, TemplateError):
        raise Corrupt(f"{verdicts} was written by another version; {advice}") from None
    write_atomically(folder / FIGURE, figure.encode())
    write_atomically(folder / REPORT, page.encode(errors="backslashreplace"))  # of the path
    return folder / REPORT


def render(found: dict[str, Any], folder: Path, figure: str) -> str:
    """The page as HTML text.

    Args:
        found: what :func:`~metalocus.experiments.debate.main.run_debate` found.
        folder: of the debate, for the commands on the page.
        figure: the main figure as SVG.
    """
    environment = Environment(
        loader=PackageLoader("metalocus.experiments.debate", "."),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "measured": measured,
        "outcome": outcome,
        "seeds_to_decide": seeds_to_decide,
    }
    return environment.get_template("report.html").render(
        found,
        figure=Markup(figure),
        rows=_interval_figures(found["verdicts"]),
        folder=shlex.quote(str(folder)),
    )


def _interval_figures(verdicts: list[dict[str, Any]]) -> dict[str, dict[str, Markup]]:
    """A small figure of every quantity, by claim and quantity."""
    figures: dict[str, dict[str, Markup]] = {}
    for verdict in verdicts:
        figures[verdict["claim"]] = {}
        for name, quantity in verdict["quantities"].items():
            bounds = [p["bound"] for p in verdict["predictions"] if p["quantity"] == name]
            figures[verdict["claim"]][name] = Markup(interval_figure(quantity, bounds))
    return figures
