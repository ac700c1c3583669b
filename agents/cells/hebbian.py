"""Differentiable plasticity: Hebbian traces that are written alike at every trial."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.cells._plasticity import Plastic
from metalocus.agents.cells.base import Trainable


class Hebbian(Plastic):
    """A plastic recurrent network whose traces are running averages, with one trained decay.

    Miconi et al. 2018, "Differentiable plasticity: training plastic neural networks with
    backpropagation", equations 1 and 2.
    """

    name: ClassVar[str] = "hebbian"
    gated: ClassVar[bool] = False


AGENTS = (
    Trainable(
        "hebbian",
        "plastic: Hebbian traces, always written (Miconi 2018)",
        Hebbian,
        cell_kwargs={"decay": 0.9},
    ),
)
