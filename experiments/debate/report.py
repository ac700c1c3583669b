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
from metalocus.experiments.claims.wording import (
    check,
    checks,
    findings,
    measured,
    outcome,
    region,
)
from metalocus.experiments.debate.figures import (
    adaptation_figure,
    in_page,
    interval_figure,
    located,
    locus_figure,
    main_figure,
)
from metalocus.experiments.debate.headline import SMOKE_WARNING
from metalocus.experiments.runs.folder import NotARun
from metalocus.experiments.scoring.figures import (
    BEST_NAMES,
    STORE_COLOURS,
    agent_label,
    agent_style,
    agents_in_order,
)

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
        page = render(found, folder)
    except (ValueError, KeyError, TypeError, AttributeError, TemplateError):
        raise Corrupt(f"{verdicts} was written by another version; {advice}") from None
    write_atomically(folder / FIGURE, figure.encode())
    write_atomically(folder / REPORT, page.encode(errors="backslashreplace"))  # of the path
    return folder / REPORT


def render(found: dict[str, Any], folder: Path) -> str:
    """The page as HTML text.

    Args:
        found: what :func:`~metalocus.experiments.debate.main.run_debate` found.
        folder: of the debate, for the commands on the page.
    """
    environment = Environment(
        loader=PackageLoader("metalocus.experiments.debate", "."),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = (check, checks, findings, measured, outcome, region)
    environment.filters |= {each.__name__: each for each in words}
    return environment.get_template("report.html").render(
        found,
        panels=_panels(found["curves"]),
        agents=_legend(found["curves"]),
        stores=STORE_COLOURS,
        rows=_interval_figures(found["verdicts"]),
        smoke_warning=SMOKE_WARNING,
        titles=_titles(found),
        cpu_seconds=sum(run.get("cpu_seconds", 0.0) for run in found["runs"]),
        folder=shlex.quote(str(folder)),
    )


def _interval_figures(verdicts: list[dict[str, Any]]) -> dict[str, dict[str, Markup]]:
    """A small figure of every quantity, by claim and quantity."""
    figures: dict[str, dict[str, Markup]] = {}
    for verdict in verdicts:
        figures[verdict["claim"]] = {}
        for name, quantity in verdict["quantities"].items():
            bounds = [p["bound"] for p in verdict["predictions"] if p["quantity"] == name]
            drawn = in_page(interval_figure(quantity, bounds), quantity["about"])
            figures[verdict["claim"]][name] = Markup(drawn)
    return figures


def _titles(found: dict[str, Any]) -> dict[str, str]:
    """The title of every task that something was measured on; its name where there is none."""
    quantities = [each for verdict in found["verdicts"] for each in verdict["quantities"].values()]
    names = {name for quantity in quantities for name in quantity["values"]}
    return {name: found["tasks"].get(name, name) for name in names}


def _panels(curves: dict[str, Any]) -> list[dict[str, Any]]:
    """For each task its title, its adaptation curves, and the locus of each agent with its name."""
    panels = []
    for task in curves.values():
        title = task["title"]
        drawn = in_page(adaptation_figure(task), f"choice value by trial, {title}")
        locus = []
        for agent in located(task):
            label = agent_label(agent)
            shares = in_page(locus_figure(task["locus"][agent]), f"locus of {label}, {title}")
            locus.append((label, Markup(shares)))
        panels.append({"title": title, "adaptation": Markup(drawn), "locus": locus})
    return panels


def _legend(curves: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Colour, kind of line and name of everything in the adaptation curves."""
    kinds = {"-": "solid", ":": "dotted", "--": "dashed"}
    best = sorted({BEST_NAMES.get(each["best"], each["best"]) for each in curves.values()})
    names = {name for each in curves.values() for name in each["adaptation"]}
    shown = agents_in_order(names - {each["best"] for each in curves.values()})
    styles = [agent_style(name) for name in shown]
    lines = [(colour, kinds[dash], label) for colour, dash, label in styles]
    return [*lines, ("currentColor", "dashed", " / ".join(best))]
