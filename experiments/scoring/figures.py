"""What figures share: their style, the colours of stores and agents, and adaptation curves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

STYLE: list[str | Path | dict[str, Any]] = [
    "default",  # whatever the user's own settings are
    {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "svg.hashsalt": "metalocus",  # the same figure gives the same bytes
    },
]
# Okabe & Ito's palette: told apart with any colour vision.
STORE_COLOURS = {"state": "#0072B2", "weights": "#D55E00", "context": "#009E73"}
AGENTS = {
    "lstm": ("#0072B2", "-", "LSTM (frozen weights)"),
    "mlp_feedback": ("#56B4E9", "-", "MLP, one-step memory"),
    "mlp": ("#999999", "-", "MLP, no memory"),
    "policy_gradient": ("#D55E00", "-", "online policy gradient"),
    "delta_rule": ("#E69F00", "-", "online delta rule"),
    "wsls": ("#009E73", ":", "win-stay, lose-shift"),
}
BEST_NAMES = {"bayes_optimal": "Bayes-optimal (exact)", "filter": "exact filter"}


def agent_style(name: str) -> tuple[str, str, str]:
    """Colour, line and label of an agent; one that is not in ``AGENTS`` is drawn as the LSTM."""
    return AGENTS.get(name, (*AGENTS["lstm"][:2], name))


def agent_label(name: str) -> str:
    """What an agent is called in a figure."""
    return agent_style(name)[2]


def agents_in_order(names: Iterable[str]) -> list[str]:
    """Names in the order of ``AGENTS``, those that are not in it first."""
    known = list(AGENTS)
    return sorted(names, key=lambda name: known.index(name) if name in known else -1)


def adaptation_curves(ax: Axes, curves: Mapping[str, Sequence[float | None]]) -> None:
    """Choice value against trial by name; the last is that of the best reference."""
    best = list(curves)[-1]
    drawn_best = ("black", "--", BEST_NAMES.get(best, best))
    for name, curve in curves.items():
        colour, dash, label = drawn_best if name == best else agent_style(name)
        numbers = np.array(curve, dtype=float)
        ax.plot(range(1, len(curve) + 1), numbers, color=colour, ls=dash, lw=1.4, label=label)
    ax.axhline(0, color="#bbbbbb", lw=0.8)
    end = (len(curves[best]), 0)
    ax.annotate("chance", end, ha="right", va="bottom", color="#777777", fontsize=8)
    ax.set(xlabel="trial", ylabel="expected reward\n(0 chance, 1 best arm)", ylim=(-0.1, 1.02))
