"""Gated recurrent units, by PyTorch's kernel.

The recurrence of Cho et al. 2014 in PyTorch's parametrisation:

    r, z = sigmoid(W_r x + U_r h + b_r), sigmoid(W_z x + U_z h + b_z)
    n = tanh(W_n x + b_n + r (U_n h + c_n)),   h' = (1 - z) n + z h
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from metalocus.agents.cells.base import (
    Carry,
    Cell,
    Trainable,
    init_chrono_,
    init_inputs_,
    keep,
    segments,
)


class GRU(Cell):
    """One layer of gated recurrent units, with PyTorch's parameters.

    Before training input weights are large (:func:`~metalocus.agents.cells.base.init_inputs_`), and
    the update gate z keeps what was there for long
    (:func:`~metalocus.agents.cells.base.init_chrono_`), whatever the input: its own input weights
    are a quarter of the others.

    Carries ``h`` [N, H], activations (state).
    """

    name: ClassVar[str] = "gru"
    carried: ClassVar[Mapping[str, str]] = {"h": "state"}

    def __init__(self, input_size: int, hidden_size: int = 64) -> None:
        super().__init__()
        self.layer = nn.GRU(input_size, hidden_size)
        self.output_size = hidden_size
        w_x, _, bias, other = self.layer.parameters()
        z = slice(hidden_size, 2 * hidden_size)
        init_inputs_(w_x)
        init_chrono_(bias[z])
        with torch.no_grad():
            w_x[z] /= 4
            other[z] = 0.0

    def initial(self, n: int) -> Carry:
        """Units at rest, zeros [N, H]."""
        return {"h": next(self.parameters()).new_zeros(n, self.output_size)}

    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, I] -> [T, N, H]."""
        h, y = carry["h"], []
        for first, end in segments(starts):  # PyTorch's kernel knows of no starts inside
            h = h * keep(starts[first])[:, None]
            y_part, h_last = self.layer(x[first:end], h[None])
            h = h_last[0]
            y.append(y_part)
        return torch.cat(y), {"h": h}


AGENTS = (Trainable("gru", "recurrent: gated recurrent units (Cho 2014)", GRU, rollout=12_800),)
