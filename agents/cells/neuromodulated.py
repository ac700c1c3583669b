"""Backpropamine: Hebbian traces that the network itself decides when to write."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from metalocus.agents.cells._plasticity import Plastic
from metalocus.agents.cells.base import Trainable


class Neuromodulated(Plastic):
    """A plastic recurrent network with a tanh unit that gates, and signs, what is written.

    Miconi et al. 2019, "Backpropamine: training self-modifying neural networks with
    differentiable neuromodulated plasticity", section 3.1 (simple neuromodulation), with
    a decay that keeps traces in bounds where that work clips them.
    """

    name: ClassVar[str] = "neuromodulated"

    def __init__(self, input_size: int, hidden_size: int = 64, plastic_size: int = 32) -> None:
        super().__init__(input_size, hidden_size, plastic_size, decay=0.99)
        self.gate = nn.Linear(hidden_size, 1)

    def modulator(self) -> Tensor | None:
        """Weights and bias of the gate, [H + 1]."""
        return torch.cat([self.gate.weight[0], self.gate.bias])


AGENTS = (
    Trainable(
        "neuromodulated", "plastic: Hebbian traces, writes gated (Miconi 2019)", Neuromodulated
    ),
)
