"""The adaptation figure of a run: drawn whole once, then the agent's curve alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from metalocus.agents.agent import Array
from metalocus.experiments.scoring.figures import adaptation_curves


class AdaptationFigure:
    """The adaptation curve of one agent beside that of the best reference.

    What does not change during training is drawn once, since the text of a figure costs more than
    its curves.

    Args:
        curves: choice value by trial, of the agent and of the best reference, which comes last.
    """

    def __init__(self, curves: Mapping[str, Sequence[float | None]]) -> None:
        figure = Figure(figsize=(5.5, 3.2), dpi=80)
        self.canvas = cast(Any, FigureCanvasAgg(figure))  # whose methods have no types
        self.ax = figure.subplots()
        figure.subplots_adjust(0.13, 0.15, 0.98, 0.9)  # a layout engine draws everything twice
        adaptation_curves(self.ax, curves)
        self.ax.legend(loc="lower right", bbox_to_anchor=(1.0, 0.14), frameon=False, fontsize=8)
        self.title = self.ax.set_title("", loc="left", fontsize=8)
        self.line = self.ax.lines[0]
        self.line.set_zorder(3)  # above all that is drawn once
        self.line.set_visible(False)
        self.canvas.draw()
        self.line.set_visible(True)
        self.still = self.canvas.copy_from_bbox(figure.bbox)

    def image(self, curve: Sequence[float | None], title: str) -> Array:
        """The figure with the agent's curve as it is now, [height, width, 3], of bytes."""
        self.canvas.restore_region(self.still)
        self.line.set_ydata(np.array(curve, dtype=float))
        self.title.set_text(title)
        self.ax.draw_artist(self.line)
        self.ax.draw_artist(self.title)
        return np.array(self.canvas.buffer_rgba())[..., :3]
