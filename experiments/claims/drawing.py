"""Figures that several claims share."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.figure import Figure

Lines = Mapping[str, Mapping[str, Mapping[str, float | None]]]
"""By panel and line, the value at every number; JSON has numbers as text."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999", "#F0E442")
"""Okabe & Ito's palette: told apart with any colour vision."""
DASHES = ("-", "--", ":")
LETTERS = 30
"""That a line of a panel's title has room for."""


def lines_by_number(
    shown: Sequence[Lines],
    x_label: str,
    y_label: str,
    *,
    references: Sequence[str] = (),
    linear: bool = False,
) -> Figure:
    """A panel for each task, a line for each agent: means over seeds, with their range.

    Args:
        shown: by training seed: panel -> line -> number -> value; None is left out.
        x_label: of all panels.
        y_label: of the first.
        references: lines that are drawn black and dashed.
        linear: numbers are spaced as they are; else by their logarithm, 0 beside 1.
    """
    panels = list(shown[0])
    figure = Figure(figsize=(max(4.4, 3.3 * len(panels)), 3.0), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, panel in zip(axes, panels, strict=True):
        styles = cycle((colour, dash) for dash in DASHES for colour in COLOURS)
        all_numbers = [float(number) for points in shown[0][panel].values() for number in points]
        for name, points in shown[0][panel].items():
            numbers = [float(number) for number in points]
            values = np.array(
                [[seed[panel][name][number] for number in points] for seed in shown], dtype=float
            )
            colour, dash = ("black", "--") if name in references else next(styles)
            mean = values.mean(axis=0)
            ax.plot(numbers, mean, dash, color=colour, marker="o", ms=3, lw=1.4, label=name)
            low, high = values.min(axis=0), values.max(axis=0)
            ax.fill_between(numbers, low, high, color=colour, alpha=0.15, lw=0)
        if not linear:
            ax.set_xscale("symlog", linthresh=1)
            least = min(all_numbers)
            ax.set_xlim(left=0 if least == 0 else least / 1.5)
        ax.minorticks_off()
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_title(textwrap.fill(panel, LETTERS), loc="left", fontsize=9)
        ax.set_xlabel(x_label)
    axes[0].set_ylabel(y_label)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=8)
    return figure
