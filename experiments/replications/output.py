"""A replication as files: JSON, a tidy Parquet table, and a figure of ours beside theirs."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from metalocus.agents.ppo.files import write_atomically
from metalocus.experiments.probes.figures import png_and_svg
from metalocus.experiments.replications.base import Quantity
from metalocus.experiments.runs.provenance import made_line
from metalocus.experiments.scoring.figures import STYLE

SUFFIXES = ("json", "parquet", "png", "svg")
COLUMNS = pa.schema(
    [
        *((name, pa.string()) for name in ("replication", "size", "part", "quantity")),
        ("seed", pa.int64()),
        *((name, pa.float64()) for name in ("value", "se", "published", "published_se")),
        ("made", pa.string()),
    ]
)
OURS, THEIRS = "#0072B2", "#D55E00"
COLOURS = "ours (blue), {}where ours must be (grey)"
PUBLISHED = "published (orange), "
REGION: Mapping[str, Any] = {"color": "#dddddd", "zorder": 0}
ACROSS = 3
"""Panels in a row of the figure."""
WIDTH, ROW = 4.0, 0.2
"""Of a panel, and the height of a quantity in it, in inches."""
AROUND = 4
"""Rows that a panel's title, axis and margins take."""
LETTERS = 52
"""Letters of a title that go on a line over a panel."""


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
    for part, each in found["parts"].items():
        made = made_line(each["made"]) if each["seeds"] else None
        for quantity in quantities(found, part):
            theirs = published(found, part, quantity) or {"value": None, "error": None}
            row = {**about, "part": part, "quantity": quantity, "made": made}
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
    """Our seeds as dots, the paper's figures with two standard errors, a panel for what compares.

    Grey is the region of a check. All rows of the figure are equally high.
    """
    panels = list(_panels(found))
    with style.context(STYLE):
        if not panels:
            figure = Figure(figsize=(4.0, 1.0))
            figure.text(0.5, 0.5, "not run yet, and no published figures", ha="center")
            return figure
        across = min(ACROSS, len(panels))
        bands = [panels[i : i + across] for i in range(0, len(panels), across)]
        tallest = [max(len(rows) for _, rows in band) for band in bands]
        heights = [ROW * (most + AROUND) for most in tallest]
        title = found["title"][:1].upper() + found["title"][1:]
        colours = COLOURS.format(PUBLISHED if found["published"] else "")
        lines = textwrap.wrap(f"{title}: {colours}", across * LETTERS)
        size = WIDTH * across, sum(heights) + ROW * len(lines)
        figure = Figure(figsize=size, layout="constrained")
        figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=9)
        grid = figure.subplots(len(bands), across, squeeze=False, height_ratios=heights)
        for axes, band, most in zip(grid, bands, tallest, strict=True):
            for ax, (title, rows) in zip(axes, band, strict=False):
                _panel(ax, found, rows)
                ax.set_ylim(most - 0.4, -0.6)
                # from the right, since names to the left of the axes may take most of a panel
                ax.set_title("\n".join(textwrap.wrap(title, LETTERS)), loc="right", fontsize=8)
            for ax in axes[len(band) :]:
                ax.set_axis_off()
        return figure


def _panels(found: Mapping[str, Any]) -> Iterator[tuple[str, list[Quantity]]]:
    """Title and rows of every panel; regrets, which a total's axis would hide, have their own."""
    panels: dict[str, list[Quantity]] = {}
    for part, each in found["parts"].items():
        for name in quantities(found, part):
            title = f"{each['panel']}: regret" if " regret" in name else each["panel"]
            panels.setdefault(title, []).append((part, name))
    yield from panels.items()


def _panel(ax: Axes, found: Mapping[str, Any], rows: Sequence[Quantity]) -> None:
    """Quantities from above to below."""
    for y, row in enumerate(rows):
        own, theirs = list(values_of(found, *row).values()), published(found, *row)
        ax.plot(own, np.full(len(own), y), "o", color=OURS, ms=4)
        if theirs is not None:
            reach = 2.0 * (theirs["error"] or 0.0)
            ax.errorbar(theirs["value"], y + 0.25, xerr=reach, fmt="D", color=THEIRS, ms=3, lw=1)
    low, high = ax.get_xlim()
    for check in found["checks"]:
        row = check["part"], check["quantity"]
        if row in rows:
            least, most = _region(check, low, high)
            ax.barh(rows.index(row), most - least, 0.9, left=least, **REGION)
    ax.set_yticks(range(len(rows)), [name for _, name in rows], fontsize=7)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.tick_params(axis="x", labelsize=7)


def _region(check: Mapping[str, Any], low: float, high: float) -> tuple[float, float]:
    """Where a check's value must be; a region without end reaches past what is drawn."""
    bound, tolerance = check["bound"], check["tolerance"]
    beyond = 0.1 * (max(high, bound) - min(low, bound))
    least = min(low, bound) - beyond if check["relation"] == "<=" else bound - tolerance
    most = max(high, bound) + beyond if check["relation"] == ">=" else bound + tolerance
    return least, most
