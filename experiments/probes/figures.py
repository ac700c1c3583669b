"""Drawing what a probe found: one message a figure, with 95% intervals."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from metalocus.experiments.probes.rows import REACH, Row, rounded, wrapped
from metalocus.experiments.scoring.figures import STYLE

LINES = (
    ("black", "-"),
    ("#0072B2", "-"),
    ("#D55E00", "-"),
    ("#009E73", "-"),
    ("#CC79A7", "--"),
    ("#56B4E9", "--"),
    ("#E69F00", "--"),
    ("#888888", ":"),
)
CHOICE_VALUE = "choice value\n(0 chance, 1 best arm)"
DOTS_A_INCH = 150
FEW = 12
"""A line of fewer values shows where each of them is."""
NARROW = 0.05
"""An axis of values reaches as far on both sides of 0, so that it does not magnify nothing."""


def new_figure(lines: Sequence[str], width: float = 8.0, height: float = 4.6) -> Figure:
    """An empty figure under some lines of text."""
    figure = Figure(figsize=(width, height), layout="constrained")
    said = "\n".join(wrapped(each, round(width * 13)) for each in lines)
    figure.suptitle(said, x=0.01, ha="left", fontsize=9.5)
    return figure


def png_and_svg(figure: Figure) -> dict[str, bytes]:
    """The figure as files, by their suffix."""
    files = {}
    for suffix, more in (("png", {"dpi": DOTS_A_INCH}), ("svg", {"metadata": {"Date": None}})):
        buffer = io.BytesIO()
        with style.context(STYLE):
            figure.savefig(buffer, format=suffix, **more)
        files[suffix] = buffer.getvalue()
    return files


def by_label(rows: Sequence[Row], quantity: str) -> dict[str, list[Row]]:
    """The rows of a quantity that have a value, by label."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.quantity == quantity and row.value is not None:
            found.setdefault(row.label, []).append(row)
    return found


def column(rows: Sequence[Row], *names: str) -> list[NDArray[np.float64]]:
    """Attributes of rows as arrays, NaN (which is not drawn) in place of None."""
    return [np.array([getattr(row, name) for row in rows], dtype=float) for name in names]


def line(ax: Axes, rows: Sequence[Row], label: str, colour: str, dash: str = "-") -> None:
    """Values by trial, with a band for their intervals."""
    trials, values, lows, highs = column(rows, "trial", "value", "low", "high")
    marker = "o" if len(rows) < FEW else ""
    ax.plot(trials, values, dash, color=colour, lw=1.6, label=label, marker=marker, ms=3.5)
    ax.fill_between(trials, lows, highs, color=colour, alpha=0.18, lw=0)


def dots(ax: Axes, rows: Sequence[Row], names: Sequence[str], colours: Sequence[str]) -> None:
    """A value a line, from above, with its interval and its number."""
    values, errors = column(rows, "value", "se")
    for place, (value, se, colour) in enumerate(zip(values, errors, colours, strict=True)):
        ax.errorbar([value], [place], xerr=[REACH * se], fmt="o", color=colour, ms=5, capsize=3)
        ax.annotate(
            rounded(value),
            (value, place),
            fontsize=8,
            color="#333333",
            textcoords="offset points",
            xytext=(0, 6),
            ha="center",
        )
    ax.set_yticks(range(len(rows)), names)
    ax.set_ylim(len(rows) - 0.5, -0.7)
    ax.margins(x=0.12)
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, -NARROW), max(high, NARROW))
    ax.axvline(0, color="#bbbbbb", lw=0.8, zorder=0)


def curves_and_ends(figure: Figure, rows: Sequence[Row], names: Mapping[str, str]) -> Figure:
    """Learning curves on the left; on the right, in the same colours, where each one ends.

    Args:
        figure: an empty one.
        rows: with the quantities ``curve`` and ``final``.
        names: what the labels are called, in the order of drawing.
    """
    left, right = figure.subplots(1, 2, width_ratios=[1.3, 1])
    curves, ends = by_label(rows, "curve"), by_label(rows, "final")
    shown = [label for label in names if label in ends]
    colours = [LINES[i] for i in range(len(shown))]
    for label, (colour, dash) in reversed(list(zip(shown, colours, strict=True))):
        line(left, curves.get(label, []), label, colour, dash)
    left.axhline(0, color="#bbbbbb", lw=0.8)
    left.set(xlabel="trial (the first is 0)", ylabel=CHOICE_VALUE)
    last = [ends[label][0] for label in shown]
    dots(right, last, [names[label] for label in shown], [colour for colour, _ in colours])
    right.set_xlim(min(-0.1, right.get_xlim()[0]), max(1.05, right.get_xlim()[1]))
    right.set_xlabel("choice value at the end")
    return figure


def everything(figure: Figure, rows: Sequence[Row], meaning: Mapping[str, str]) -> Figure:
    """A panel for every quantity: by trial where it has trials, else a line a label."""
    named = dict.fromkeys(row.quantity for row in rows if row.value is not None)
    shown = [quantity for quantity in meaning if quantity in named] or list(named)[:4]
    panels = figure.subplots(1, max(1, len(shown)), squeeze=False)[0]
    for ax, quantity in zip(panels, shown, strict=False):
        labels = by_label(rows, quantity)
        if any(row.trial is not None for each in labels.values() for row in each):
            for i, (label, each) in enumerate(labels.items()):
                line(ax, each, label, *LINES[i % len(LINES)])
            ax.set_xlabel("trial (the first is 0)")
            if len(labels) > 1:
                ax.legend(frameon=False, fontsize=8)
        else:
            values = [each[0] for each in labels.values()]
            dots(ax, values, list(labels), [LINES[1][0]] * len(values))
        ax.set_title(textwrap.fill(meaning.get(quantity, quantity), 36), loc="left", fontsize=9)
    return figure
