"""The figures of the report, as SVG text; matplotlib's settings are left as they were.

The main figure, for a README or a slide, has all panels. The page has them one by one, so that
they stand below each other on a phone.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import escape
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metalocus.experiments.claims.base import Claim
from metalocus.experiments.claims.wording import words
from metalocus.experiments.scoring.figures import (
    BEST_NAMES,
    STORE_COLOURS,
    STYLE,
    adaptation_curves,
    agent_label,
    agents_in_order,
)

PAGE_STYLE = [*STYLE, {"font.size": 9, "svg.fonttype": "none"}]
"""Of small figures in a page, whose text stays text."""
DARK = """@media (prefers-color-scheme: dark) {
 [style*="fill: #ffffff"] { fill: #0d1117 !important }
 [style*="stroke: #000000"] { stroke: #e6edf3 !important }
 text { fill: #e6edf3 !important }
}"""
"""Style of a figure that stands alone, for readers who prefer dark pages: white on black."""
BLUE = STORE_COLOURS["state"]
NOT_DRAWN = ("policy_gradient",)
"""Agents whose locus is measured and not drawn: it is that of the other online rule."""


@style.context(PAGE_STYLE)
def main_figure(curves: Mapping[str, Any]) -> str:
    """Adaptation curves above, a column a setting; locus below, a row a setting; dark or light.

    Args:
        curves: by setting: title, best reference, adaptation curves and locus by agent.
    """
    heights = [3.1, 2.3 * len(curves)]
    figure = Figure(figsize=(10, sum(heights)), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=heights)
    above, below = parts
    tops = above.subplots(1, len(curves), squeeze=False)[0]
    for ax, measured in zip(tops, curves.values(), strict=True):
        _adaptation(ax, measured)
    best = {BEST_NAMES.get(m["best"], m["best"]) for m in curves.values()}
    handles, labels = tops[0].get_legend_handles_labels()
    labels = [" / ".join(sorted(best)) if label in best else label for label in labels]
    above.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=8)
    widest = max(len(located(measured)) for measured in curves.values())
    rows = below.subplots(len(curves), widest, squeeze=False, sharey=True)
    for row, (name, measured) in zip(rows, curves.items(), strict=True):
        for ax, agent in zip(row, located(measured), strict=False):
            task = f"{name}: " if len(curves) > 1 else ""
            _shares(ax, measured["locus"][agent], f"{task}{agent_label(agent)}")
        row[0].set_ylabel("knowledge held\n(share of each store)")
    handles, labels = rows[0][0].get_legend_handles_labels()
    below.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=8)
    return _svg(figure).replace("</style>", f"\n{DARK}</style>", 1)


@style.context(PAGE_STYLE)
def adaptation_figure(measured: Mapping[str, Any]) -> str:
    """Choice value by trial on one task, of every agent and the best reference."""
    figure = Figure(figsize=(4.2, 2.7), layout="constrained")
    ax = figure.subplots()
    _adaptation(ax, measured)
    ax.set_title("", loc="left")  # the page has it
    return _svg(figure)


@style.context(PAGE_STYLE)
def locus_figure(measured: Mapping[str, Any]) -> str:
    """Shapley shares of the stores by trial, of one agent on one task."""
    figure = Figure(figsize=(3.2, 2.2), layout="constrained")
    ax = figure.subplots()
    _shares(ax, measured, "")
    ax.set_ylabel("knowledge held")
    return _svg(figure)


@style.context(PAGE_STYLE)
def development_figure(steps: Sequence[int], numbers: Mapping[str, Sequence[float | None]]) -> str:
    """Numbers of one agent by length of training; the first, its behaviour, is the thick line.

    Args:
        steps: of training, 0 first.
        numbers: by what they are, one for each length; None is not drawn.
    """
    figure = Figure(figsize=(3.4, 2.6), layout="constrained")
    ax = figure.subplots()
    ax.axhline(0, color="#bbbbbb", lw=0.8)
    for (colour, dash, width), values in zip(development_styles(), numbers.values(), strict=False):
        known = [(n, value) for n, value in zip(steps, values, strict=True) if value is not None]
        if known:
            at, drawn = zip(*known, strict=True)
            ax.plot(at, drawn, color=colour, ls=dash, lw=width, marker="o", ms=2.5)
    ax.set_xscale("symlog", linthresh=steps[1])
    ax.set_xticks(steps, [_short(n) for n in steps])
    ax.minorticks_off()
    ax.set(xlabel="training steps", ylim=(-0.15, 1.3))
    return _svg(figure)


def development_styles() -> list[tuple[str, str, float]]:
    """Colour, kind of line and width of the numbers of a development, behaviour first."""
    colours = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#999999")
    return [("#000000", "-", 2.4), *((c, "-", 1.2) for c in colours), (colours[0], "--", 1.2)]


def _short(steps: int) -> str:
    """``0``, ``24k``, ``8M``."""
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if steps >= unit:
            return f"{steps / unit:.3g}{letter}"
    return str(steps)


@style.context(PAGE_STYLE)
def interval_figure(tasks: Mapping[str, Mapping[str, Any]], bounds: Sequence[float]) -> str:
    """One quantity, a line for each task: every seed's value, the interval, predicted bounds.

    Args:
        tasks: by task ``values`` of the seeds, ``estimate``, ``low`` and ``high``.
        bounds: borders of the predicted regions.
    """
    figure = Figure(figsize=(3.4, 0.4 + 0.2 * len(tasks)), layout="constrained")
    ax = figure.subplots()
    ax.axvline(0, color="#bbbbbb", lw=0.8)
    for bound in bounds:
        ax.axvline(bound, color="black", ls=":", lw=1.0)
    for row, measured in enumerate(tasks.values()):
        values = [value for value in measured["values"] if value is not None]
        ax.scatter(values, [row] * len(values), s=10, color="#999999", zorder=2)
        if measured["estimate"] is not None:
            ax.plot([measured["low"], measured["high"]], [row, row], color=BLUE, lw=2.5, alpha=0.6)
            ax.plot(measured["estimate"], row, "o", color=BLUE, ms=4.5, zorder=3)
    ax.set_yticks(range(len(tasks)), [words(name) for name in tasks])
    ax.set_ylim(len(tasks) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.locator_params(axis="x", nbins=5)
    ax.spines["left"].set_visible(False)
    return _svg(figure)


@style.context(PAGE_STYLE)
def answer_figure(claim: Claim, shown: list[Any]) -> str | None:
    """The figure that a claim draws of what it kept; None if it draws none."""
    figure = claim.drawn(shown) if shown else None
    return None if figure is None else _svg(figure)


def located(measured: Mapping[str, Any]) -> list[str]:
    """The agents whose locus is drawn on a task, the one that the claims are about first."""
    return agents_in_order(name for name in measured["locus"] if name not in NOT_DRAWN)


def in_page(svg: str, label: str) -> str:
    """A figure for a page of either colour scheme: the page's background, its text in its colour.

    Args:
        svg: as the figures here are made.
        label: what it shows, for those who cannot see it.
    """
    for fixed, of_page in (("fill: #ffffff", "fill: none"), ("#000000", "currentColor")):
        svg = svg.replace(fixed, of_page)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)


def _adaptation(ax: Axes, measured: Mapping[str, Any]) -> None:
    """Choice value by trial, for every agent and the best reference."""
    best = measured["best"]
    shown = [*agents_in_order(name for name in measured["adaptation"] if name != best), best]
    adaptation_curves(ax, {name: measured["adaptation"][name] for name in shown})
    ax.set_title(measured["title"], loc="left", fontsize=10)


def _shares(ax: Axes, measured: Mapping[str, Any], title: str) -> None:
    """Shapley shares of the three stores by trial, stacked to v(all) - v(none)."""
    trials = [t + 1 for t in measured["trials"]]
    low = [0.0] * len(trials)
    for store, colour in STORE_COLOURS.items():
        high = [a + b for a, b in zip(low, measured["shares"][store], strict=True)]
        ax.fill_between(trials, low, high, color=colour, alpha=0.85, lw=0, label=store)
        low = high
    ax.set_xscale("log")
    ax.set_xticks([t for t in (2, 5, 10, 20, 50, 100) if t <= trials[-1]])
    ax.get_xaxis().set_major_formatter("{x:.0f}")
    ax.minorticks_off()
    ax.set(xlabel="trial (log)", ylim=(-0.1, 1.02))
    ax.axhline(0, color="#bbbbbb", lw=0.8)
    ax.set_title(title, loc="left", fontsize=10)


def _svg(figure: Figure) -> str:
    """The figure as an SVG element to put into a page."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]
