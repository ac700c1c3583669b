"""Differentiable plasticity: Hebbian traces that are written alike at every trial."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from metalocus.agents.cells._plasticity import Plastic
from metalocus.agents.cells.base import Trainable


class Hebbian(Plastic):
    """A plastic recurrent network whose traces are running averages, with one trained decay.

    Miconi et al. 2018, "Differentiable plasticity: training plastic neural networks with
    backpropagation", equations 1 and 2.
    """

    name: ClassVar[str] = "hebbian"

    def __init__(self, input_size: int, hidden_size: int = 64, plastic_size: int = 32) -> None:
        super().__init__(input_size, hidden_size, plastic_size, decay=0.9)

    def modulator(self) -> Tensor | None:
        """There is none: every trial is written alike."""
        return None


AGENTS = (Trainable("hebbian", "plastic: Hebbian traces, always written (Miconi 2018)", Hebbian),)
