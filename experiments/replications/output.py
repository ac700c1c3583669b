"""A replication as files: JSON, a tidy Parquet table, and a figure of ours beside theirs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metalocus.agents.ppo.files import write_atomically
from metalocus.experiments.probes.figures import png_and_svg
from metalocus.experiments.scoring.figures import STYLE

SUFFIXES = ("json", "parquet", "png", "svg")
COLUMNS = pa.schema(
    [
        *((name, pa.string()) for name in ("replication", "size", "part", "quantity")),
        ("seed", pa.int64()),
        *((name, pa.float64()) for name in ("value", "se", "published", "published_se")),
    ]
)
OURS, THEIRS = "#0072B2", "#D55E00"
ACROSS = 3
"""Panels in a row of the figure."""


def write_output(out: Path, found: Mapping[str, Any]) -> list[Path]:
    """Write the files of a replication, each whole or not at all.

    Args:
        out: folder; made if need be.
        found: by :func:`~metalocus.experiments.replications.replicate.replicate`.

    Returns:
        The files.
    """
    contents = {
        "json": json.dumps(found, indent=2).encode(),
        "parquet": _parquet(found),
        **png_and_svg(draw(found)),
    }
    written = [out / f"{found['replication']}.{suffix}" for suffix in SUFFIXES]
    for path in written:
        write_atomically(path, contents[path.suffix[1:]])
    return written


def quantities(found: Mapping[str, Any], part: str) -> list[str]:
    """Names of what was measured or published of a part, standard errors left out."""
    seeds = found["parts"][part]["seeds"].values()
    names = [name for values in seeds for name in values if not name.endswith("_se")]
    names += [each["quantity"] for each in found["published"] if each["part"] == part]
    return list(dict.fromkeys(names))


def published(found: Mapping[str, Any], part: str, quantity: str) -> Mapping[str, Any] | None:
    """The paper's figure; None if there is none."""
    here = (each for each in found["published"] if each["part"] == part)
    return next((each for each in here if each["quantity"] == quantity), None)


def values_of(found: Mapping[str, Any], part: str, quantity: str) -> dict[int, float]:
    """Ours by seed, where there is a number."""
    seeds = found["parts"][part]["seeds"]
    own = {int(seed): values.get(quantity) for seed, values in seeds.items()}
    return {seed: value for seed, value in own.items() if value is not None}


def error_of(found: Mapping[str, Any], part: str, quantity: str) -> float | None:
    """Standard error over episodes of the mean over seeds; None if it was not measured."""
    errors = list(values_of(found, part, f"{quantity}_se").values())
    return math.hypot(*errors) / len(errors) if errors else None


def _rows(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A row for every quantity and seed; one without a seed where there is a paper's alone."""
    about = {"replication": found["replication"], "size": found["size"]}
    for part in found["parts"]:
        for quantity in quantities(found, part):
            theirs = published(found, part, quantity) or {"value": None, "error": None}
            row = {**about, "part": part, "quantity": quantity}
            row |= {"published": theirs["value"], "published_se": theirs["error"]}
            errors = values_of(found, part, f"{quantity}_se")
            own = values_of(found, part, quantity)
            for seed, value in own.items():
                yield {**row, "seed": seed, "value": value, "se": errors.get(seed)}
            if not own:
                yield {**row, "seed": None, "value": None, "se": None}


def _parquet(found: Mapping[str, Any]) -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist(list(_rows(found)), schema=COLUMNS)
    pq.write_table(table, sink, write_page_checksum=True)
    written: bytes = sink.getvalue().to_pybytes()
    return written


def draw(found: Mapping[str, Any]) -> Figure:
    """A panel for every part: our seeds as dots, the paper's figures with two standard errors."""
    parts = [part for part in found["parts"] if quantities(found, part)]
    with style.context(STYLE):
        if not parts:
            figure = Figure(figsize=(4.0, 1.0))
            figure.text(0.5, 0.5, "not run yet, and no published figures", ha="center")
            return figure
        down = -(-len(parts) // ACROSS)
        tallest = max(len(quantities(found, part)) for part in parts)
        size = 4.0 * min(ACROSS, len(parts)), down * (0.9 + 0.22 * tallest)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(down, min(ACROSS, len(parts)), squeeze=False).ravel()
        for ax, part in zip(axes, parts, strict=False):
            _panel(ax, found, part)
        for ax in axes[len(parts) :]:
            ax.set_axis_off()
        figure.suptitle(f"{found['title']}: ours (blue), published (orange)", fontsize=9)
        return figure


def _panel(ax: Axes, found: Mapping[str, Any], part: str) -> None:
    """Quantities from above to below."""
    names = quantities(found, part)
    for y, quantity in enumerate(names):
        own, theirs = (
            list(values_of(found, part, quantity).values()),
            published(found, part, quantity),
        )
        ax.plot(own, np.full(len(own), y), "o", color=OURS, ms=4)
        if theirs is not None:
            reach = 2.0 * (theirs["error"] or 0.0)
            ax.errorbar(theirs["value"], y + 0.25, xerr=reach, fmt="D", color=THEIRS, ms=3, lw=1)
    ax.set_yticks(range(len(names)), names, fontsize=7)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="x", labelsize=7)
    ax.set_title(found["parts"][part]["about"], loc="left", fontsize=8)
