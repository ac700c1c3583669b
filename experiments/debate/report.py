"""The report: one self-contained page with verdicts, figures, and how each number was made."""

from __future__ import annotations

import json
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
from matplotlib.figure import Figure

from metalocus.agents.ppo.files import Corrupt, write_atomically
from metalocus.experiments.claims.verdicts import measured, outcome, seeds_to_decide
from metalocus.experiments.debate.figures import interval_row, main_figure, to_svg
from metalocus.experiments.runs.folder import NotARun, versions

REPORT, FIGURE, VERDICTS = "report.html", "figure.svg", "verdicts.json"


def write_report(folder: Path) -> Path:
    """Write ``report.html`` and its main figure from ``verdicts.json``; returns the page's path.

    Raises:
        NotARun: the folder holds no finished debate.
        Corrupt: its verdicts are damaged.
    """
    if not (folder / VERDICTS).is_file():
        raise NotARun(f"{folder} holds no finished debate; run `metalocus debate --out {folder}`")
    try:
        found = json.loads((folder / VERDICTS).read_text())
        figure = to_svg(main_figure(found["curves"]))
        page = render(found, folder, figure)
    except (ValueError, KeyError, TypeError, AttributeError, TemplateError):
        raise Corrupt(f"{folder / VERDICTS} is damaged; repeat `metalocus debate`") from None
    write_atomically(folder / FIGURE, figure.encode())
    write_atomically(folder / REPORT, page.encode())
    return folder / REPORT


def render(found: dict[str, Any], folder: Path, figure: str) -> str:
    """The page as HTML text, with the main figure as SVG in it."""
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
        rows=_rows(found["verdicts"]),
        folder=folder,
        versions=versions(),
    )


def _rows(verdicts: list[dict[str, Any]]) -> dict[str, dict[str, Markup]]:
    """A small picture of every quantity, by claim and quantity."""
    pictures: dict[str, dict[str, Markup]] = {}
    for verdict in verdicts:
        pictures[verdict["claim"]] = {}
        for name, quantity in verdict["quantities"].items():
            bounds = [p["bound"] for p in verdict["predictions"] if p["quantity"] == name]
            figure = Figure(figsize=(3.4, 0.6), layout="constrained")
            interval_row(figure.subplots(), quantity, bounds)
            pictures[verdict["claim"]][name] = Markup(to_svg(figure))
    return pictures
