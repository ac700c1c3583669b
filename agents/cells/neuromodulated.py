"""Backpropamine: Hebbian traces that the network itself decides when to write."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.cells._plasticity import Plastic
from metalocus.agents.cells.base import Trainable


class Neuromodulated(Plastic):
    """A plastic recurrent network with a tanh unit that gates, and signs, what is written.

    Miconi et al. 2019, "Backpropamine: training self-modifying neural networks with
    differentiable neuromodulated plasticity", section 3.1 (simple neuromodulation), with
    a decay that keeps traces in bounds where that work clips them.
    """

    name: ClassVar[str] = "neuromodulated"
    gated: ClassVar[bool] = True


AGENTS = (
    Trainable(
        "neuromodulated", "plastic: Hebbian traces, writes gated (Miconi 2019)", Neuromodulated
    ),
)
