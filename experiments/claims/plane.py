"""Scores over update interval and learning rate, as maps: the figure of the claim on timing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from metalocus.agents.agent import Array
from metalocus.experiments.claims.drawing import COLOURS

Scores = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Of one network, by way of updating, rate (as text) and lesion."""
SMALL = 7
"""Points of the letters: legible where two columns share the width of a telephone."""


def planes(shown: Sequence[Mapping[str, Any]], losses: Mapping[str, str], intact: str) -> Figure:
    """For each task a column for each network: its score, what it loses by lesions, a frontier.

    The frontier has a point for each map's cell: the score under the first lesion, and what is
    gained without it.

    Args:
        shown: by training seed: task -> ``networks``, :data:`Scores` by network, and ``beside``,
            scores of others by name.
        losses: titles of the maps of what is lost, by lesion.
        intact: the name of no lesion.
    """
    tasks = list(shown[0])
    figure = Figure(figsize=(4.4, 6.4 * len(tasks)), layout="constrained")
    parts = figure.subfigures(len(tasks), 1, squeeze=False)[:, 0]
    for part, task in zip(parts, tasks, strict=True):
        beside = [f"{name} {value:.2f}" for name, value in shown[0][task]["beside"].items()]
        part.suptitle(f"{task}\n(scores of {', '.join(beside)})", fontsize=SMALL + 1)
        _task(part, [seed[task]["networks"] for seed in shown], losses, intact)
    return figure


def _task(
    part: SubFigure,
    seeds: Sequence[Mapping[str, Scores]],
    losses: Mapping[str, str],
    intact: str,
) -> None:
    """Rows of maps and the frontier of one task."""
    axes = part.subplots(len(losses) + 2, len(seeds[0]))
    names = dict.fromkeys(name for scores in seeds[0].values() for name in scores)
    colours = dict(zip(names, COLOURS, strict=False))
    for column, network in zip(axes.T, seeds[0], strict=True):
        own = [seed[network] for seed in seeds]
        score, *others = (_mean(own, lesion) for lesion in (intact, *losses))
        rows = {"score": score} | {
            title: score - other for title, other in zip(losses.values(), others, strict=True)
        }
        for ax, (title, values) in zip(column, rows.items(), strict=False):
            shades = _map(ax, values, own[0])
            ax.set_title(f"{network}: {title}", fontsize=SMALL, loc="left", pad=2)
        column[-2].set_xlabel("learning rate", fontsize=SMALL, labelpad=1)
        _frontier(column[-1], others[0], score, {name: colours[name] for name in own[0]})
    for ax in axes[:-2].flat:
        ax.set_xticklabels([])
    for ax in axes[:-1, 0]:
        ax.set_ylabel("interval", fontsize=SMALL, labelpad=1)
    axes[-1, 0].set_ylabel("gained by updates", fontsize=SMALL, labelpad=1)
    bar = part.colorbar(shades, ax=axes[:-1], shrink=0.5, aspect=30, pad=0.02)
    bar.ax.tick_params(labelsize=SMALL)
    drawn = (zip(*reversed(ax.get_legend_handles_labels()), strict=True) for ax in axes[-1])
    handles = dict(each for column in drawn for each in column)
    part.legend(
        [handles[name] for name in names],
        list(names),
        loc="outside lower center",
        ncols=5,
        fontsize=SMALL,
        title="steps between updates",
        title_fontsize=SMALL,
        frameon=False,
    )


def _mean(seeds: Sequence[Scores], lesion: str) -> Array:
    """Over seeds, [ways of updating, rates]; not a number where a rate was not tried."""
    columns = _rates(seeds[0])
    of_seeds = [
        [[points.get(rate, {}).get(lesion, np.nan) for rate in columns] for points in seed.values()]
        for seed in seeds
    ]
    mean: Array = np.mean(of_seeds, axis=0)
    return mean


def _rates(scores: Scores) -> list[str]:
    """All the rates that were tried."""
    return sorted({rate for points in scores.values() for rate in points}, key=float)


def _map(ax: Axes, values: Array, scores: Scores) -> Any:
    """Colours from 0 to 1; what was not tried is left white."""
    columns = _rates(scores)
    shades = ax.pcolormesh(values, vmin=0.0, vmax=1.0, cmap="viridis", edgecolors="white", lw=0.3)
    ticks = range(0, len(columns), len(columns) // 4 or 1)
    ax.set_xticks([i + 0.5 for i in ticks], [columns[i].lstrip("0") for i in ticks])
    ax.set_yticks(np.arange(len(scores)) + 0.5, list(scores))
    ax.tick_params(labelsize=SMALL, length=0, pad=1)
    ax.spines[:].set_visible(False)
    return shades


def _frontier(ax: Axes, held: Array, score: Array, colours: Mapping[str, str]) -> None:
    """What is gained by updates within the episode, by the score without them."""
    for (name, colour), without, intact in zip(colours.items(), held, score, strict=True):
        ax.plot(without, intact - without, "o", ms=2.5, color=colour, label=name)
    ax.axhline(0.0, color="grey", lw=0.5)
    ax.set_xlim(-0.1, 1.0)
    ax.set_ylim(-0.3, 1.0)
    ax.set_xlabel("score, weights rolled back", fontsize=SMALL, labelpad=1)
    ax.tick_params(labelsize=SMALL, length=2, pad=1)
    ax.spines[["top", "right"]].set_visible(False)
