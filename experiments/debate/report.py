"""The report: one self-contained page with verdicts, figures, and how each number was made."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import (
    Environment,
    PackageLoader,
    StrictUndefined,
    Template,
    TemplateError,
    select_autoescape,
)
from markupsafe import Markup

from metalocus.agents.ppo.files import Corrupt, read_record, write_atomically
from metalocus.experiments.claims import wording
from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.debate.figures import (
    adaptation_figure,
    answer_figure,
    development_figure,
    development_styles,
    in_page,
    interval_figure,
    located,
    locus_figure,
    main_figure,
)
from metalocus.experiments.debate.headline import SMOKE_WARNING
from metalocus.experiments.folders.folder import NotARun
from metalocus.experiments.runs.provenance import made_line
from metalocus.experiments.scoring.figures import (
    BEST_NAMES,
    STORE_COLOURS,
    agent_label,
    agent_style,
    agents_in_order,
)
from metalocus.experiments.shipped.read import VERDICTS, shipped_debate

REPORT, FIGURE, SHIPPED = "report.html", "figure.svg", "shipped.html"
EMERGENCE = "emergence"
"""The claim that measures how well the agent was trained."""
TRAINED = 0.9
"""Least score of an agent that has learned its task; simple rules come near it on easy ones."""
FILTERS = (
    *(wording.check, wording.checks, wording.findings, wording.measured, wording.outcome),
    *(wording.p_value, wording.region, wording.short, wording.standing, wording.words),
    wording.of_all,
    wording.seeds,
    wording.restated,
    wording.heading,
    made_line,
)
"""What puts verdicts, and how they were made, into words on the page."""


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
        figure = main_figure(found["curves"]) if found["curves"] else None
        page = render(found, folder)
    except (ValueError, KeyError, TypeError, AttributeError, TemplateError):
        raise Corrupt(f"{verdicts} was written by another version; {advice}") from None
    if figure is not None:
        write_atomically(folder / FIGURE, figure.encode())
    write_atomically(folder / REPORT, page.encode(errors="backslashreplace"))  # of the path
    return folder / REPORT


def write_shipped(folder: Path) -> tuple[dict[str, Any], Path]:
    """Write ``shipped.html``, the page of the full debate that comes with the package.

    Args:
        folder: to write it into; what else is there stays.

    Returns:
        What that debate found, and the page's path.

    Raises:
        NotARun: nothing is shipped.
        Corrupt: it is damaged.
    """
    found = shipped_debate()
    write_atomically(folder / SHIPPED, render(found, Path("debate")).encode())
    return found, folder / SHIPPED


def render(found: dict[str, Any], folder: Path) -> str:
    """The page as HTML text.

    Args:
        found: what :func:`~metalocus.experiments.debate.main.run_debate` found.
        folder: of the debate, for the commands on the page.
    """
    return _template().render(
        found,
        parts=list(_parts(found)),
        panels=_panels(found["curves"]),
        agents=_legend(found["curves"]),
        numbers=[
            about
            for task in list(found["development"].values())[:1]
            for about in next(iter(task["numbers"].values()))
        ],
        half_trained=list(_half_trained(found)),
        in_part=list(_in_part(found)),
        development=_development(found["development"]),
        development_seeds=max((each["seeds"] for each in found["development"].values()), default=0),
        development_styles=development_styles(),
        stores=STORE_COLOURS,
        signs=wording.SIGNS,
        smoke_warning=SMOKE_WARNING,
        cpu_seconds=sum(run.get("cpu_seconds", 0.0) for run in found["runs"]),
        folder=shlex.quote(str(folder)),
    )


@cache
def _template() -> Template:
    """The page without its numbers."""
    environment = Environment(
        loader=PackageLoader("metalocus.experiments.debate", "."),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {each.__name__: each for each in FILTERS}
    return environment.get_template("report.html")


def _parts(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every verdict with its figures and titles of tasks; those of the shipped run last.

    Each has ``verdict``, ``figures`` (caption and drawing), ``titles`` and ``shipped``: what made
    it, None for what was run here.
    """
    for of, shipped in ((found, None), (found["shipped"], found["shipped"])):
        if of is None:
            continue
        for verdict in of["verdicts"]:
            names = {task for each in verdict["quantities"].values() for task in each["tasks"]}
            titles = {name: of["tasks"].get(name, wording.words(name)) for name in names}
            part = {"verdict": verdict, "titles": titles, "shipped": shipped}
            yield {**part, "figures": list(_figures(verdict))}


def _in_part(found: Mapping[str, Any]) -> Iterator[str]:
    """Number or name of every claim of which not all training seeds were run."""
    for verdict in found["verdicts"]:
        if verdict["seeds"]["run"] < wording.whole_seeds(verdict, found["preset"]):
            yield str(verdict["number"] or wording.words(verdict["claim"]))


def _half_trained(found: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Title and score of every task that the agent is far from the best reference on."""
    for verdict in found["verdicts"]:
        if verdict["claim"] == EMERGENCE:
            for task, measured in verdict["quantities"]["score"]["tasks"].items():
                score = measured["estimate"]
                if score is not None and score < TRAINED:
                    yield found["tasks"].get(task, wording.words(task)), score


def _figures(verdict: Mapping[str, Any]) -> Iterator[tuple[str, Markup]]:
    """The figure that a claim draws; else one of every quantity. Each with its caption."""
    if not wording.findings(verdict):
        return
    claim = CLAIMS.get(verdict["claim"])
    own = None if claim is None else answer_figure(claim, verdict["shown"])
    if claim is not None and own is not None:
        about = (type(claim).drawn.__doc__ or "").split("\n")[0]
        yield about, Markup(in_page(own, about))
        return
    for name, quantity in verdict["quantities"].items():
        bounds = _bounds(verdict, name)
        drawn = interval_figure(quantity["tasks"], bounds)
        yield quantity["about"], Markup(in_page(drawn, quantity["about"]))


def _bounds(verdict: Mapping[str, Any], quantity: str) -> list[float]:
    """The borders of all regions that are predicted of a quantity."""
    found: set[float] = set()
    for each in verdict["predictions"]:
        if each["quantity"] == quantity:
            found |= {each["bound"], *([-each["bound"]] if each["relation"] == "within" else [])}
    return sorted(found)


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


def _development(tasks: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, Markup]]]]:
    """For each task its title, and a figure of each agent with its name."""
    found = []
    for task in tasks.values():
        drawn = []
        for agent, numbers in task["numbers"].items():
            label = agent_label(agent)
            about = f"what training brings to {label}, {task['title']}"
            figure = in_page(development_figure(task["steps"], numbers), about)
            drawn.append((label, Markup(figure)))
        found.append((task["title"], drawn))
    return found


def _legend(curves: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Colour, kind of line and name of everything in the adaptation curves."""
    kinds = {"-": "solid", ":": "dotted", "--": "dashed"}
    best = sorted({BEST_NAMES.get(each["best"], each["best"]) for each in curves.values()})
    names = {name for each in curves.values() for name in each["adaptation"]}
    shown = agents_in_order(names - {each["best"] for each in curves.values()})
    styles = [agent_style(name) for name in shown]
    lines = [(colour, kinds[dash], label) for colour, dash, label in styles]
    return [*lines, ("currentColor", "dashed", " / ".join(best))]
