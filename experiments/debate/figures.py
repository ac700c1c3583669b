"""Drawing; every function takes the axes to draw on and what was measured."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metalocus.experiments.scoring.figures import AGENTS, BEST_NAMES, adaptation_curves

mpl.use("svg")
mpl.rcParams.update(
    {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "metalocus",
    }
)

STORES = {"state": "#0072B2", "weights": "#D55E00", "context": "#009E73"}


def adaptation(ax: Axes, measured: Mapping[str, Any]) -> None:
    """Normalised score against trial, for every agent, with the best reference and chance."""
    shown = (*AGENTS, measured["best"])
    adaptation_curves(ax, {name: measured["adaptation"][name] for name in shown})
    ax.set_title(measured["title"], loc="left", fontsize=10)


def shares(ax: Axes, measured: Mapping[str, Any], title: str) -> None:
    """Shapley shares of the three stores against trial, stacked to v(all) - v(none)."""
    trials = [t + 1 for t in measured["trials"]]
    low = [0.0] * len(trials)
    for store, colour in STORES.items():
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


def interval_row(ax: Axes, quantity: Mapping[str, Any], bounds: list[float]) -> None:
    """One quantity: every seed's value, the interval, the predicted bounds."""
    ax.axvline(0, color="#dddddd", lw=0.8)
    for bound in bounds:
        ax.axvline(bound, color="black", ls=":", lw=1.0)
    values = [value for row in quantity["values"].values() for value in row]
    ax.scatter(values, [0] * len(values), s=12, color="#999999", zorder=2)
    ax.plot([quantity["low"], quantity["high"]], [0, 0], color="#0072B2", lw=2.5, alpha=0.6)
    ax.plot(quantity["estimate"], 0, "o", color="#0072B2", ms=5, zorder=3)
    ax.set(yticks=[], ylim=(-0.5, 0.5))
    ax.spines["left"].set_visible(False)


def main_figure(curves: Mapping[str, Any]) -> Figure:
    """Adaptation above, locus below; one column of adaptation a task."""
    agents = ("lstm", "mlp_feedback", "delta_rule")
    figure = Figure(figsize=(10, 3.1 + 2.3 * len(curves)), layout="constrained")
    rows: Any = figure.subfigures(2, 1, height_ratios=[3.1, 2.3 * len(curves)])
    tops = rows[0].subplots(1, len(curves), squeeze=False)[0]
    for ax, measured in zip(tops, curves.values(), strict=True):
        adaptation(ax, measured)
    handles, labels = tops[0].get_legend_handles_labels()
    best = {BEST_NAMES.get(m["best"], m["best"]) for m in curves.values()}
    labels = [" / ".join(sorted(best)) if label in best else label for label in labels]
    rows[0].legend(handles, labels, loc="outside right upper", frameon=False, fontsize=8)
    below = rows[1].subplots(len(curves), len(agents), squeeze=False, sharey=True)
    for row, (name, measured) in zip(below, curves.items(), strict=True):
        for ax, agent in zip(row, agents, strict=True):
            shares(ax, measured["locus"][agent], f"{name}: {AGENTS[agent][2]}")
        row[0].set_ylabel("knowledge held\n(share of each store)")
    handles, labels = below[0][0].get_legend_handles_labels()
    rows[1].legend(handles, labels, loc="outside right upper", frameon=False, fontsize=8)
    return figure


def to_svg(figure: Figure) -> str:
    """The figure as SVG text to put into a page."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]
