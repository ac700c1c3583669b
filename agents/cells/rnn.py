"""The simple recurrent network.

    h' = tanh(W_x x + W_h h + b)        (Elman 1990)

A bandit asks such a network to tell pairs of action and reward apart and to add them up over
many trials. A unit cannot do both, since large inputs saturate it, so the units begin as two
halves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metalocus.agents.cells.base import (
    LONGEST,
    Carry,
    RecurrentCell,
    Trainable,
    init_inputs_,
    reset_masks,
)
from metalocus.envs.checks import require_number

PACE = 0.3
"""Recurrent weights are the parameters times this number. Adam's steps have one size for all
parameters, and recurrent weights need smaller ones: a unit that remembers n steps needs a weight on
itself that is right to 1 / n."""
WRITE = 0.16
"""Initial weights from the second half to the first, as a fraction of PyTorch's: they are small
enough that a sum over a hundred trials does not saturate."""


class RNN(RecurrentCell):
    """One layer of tanh units, with PyTorch's parameters but for :data:`PACE`.

    Before training the second half of the units has large input weights. The first half has no
    input weights and small ones from the second half, and each of its units keeps its own value
    (Le, Jaitly & Hinton 2015, "A simple way to initialize recurrent networks of rectified linear
    units") for 1 to ``longest`` steps, as gated units do.

    Carries ``h`` [N, H], activations (state).
    """

    name: ClassVar[str] = "rnn"
    carried: ClassVar[Mapping[str, str]] = {"h": "state"}

    def __init__(
        self, input_size: int, hidden_size: int = 64, ticks: int = 1, longest: float = LONGEST
    ) -> None:
        super().__init__(ticks)
        self.layer = nn.RNN(input_size, hidden_size)
        self.output_size = hidden_size
        self._initialise(require_number("longest", longest, 2.0))

    @torch.no_grad()
    def _initialise(self, longest: float) -> None:
        w_x, w_h, b_x, b_h = self.layer.parameters()
        half = self.output_size // 2
        init_inputs_(w_x)
        for parameter in (w_x, b_x, b_h):
            parameter[:half] = 0.0
        kept = 1 - 1 / w_h.new_empty(half).uniform_(1.0, longest)
        w_h[:half, :half] = kept.diag()
        w_h[:half, half:] *= WRITE
        w_h.div_(PACE)

    def initial(self, n: int) -> Carry:
        """Units at rest, zeros [N, H]."""
        return {"h": next(self.parameters()).new_zeros(n, self.output_size)}

    def run(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, I] -> [T, N, H]."""
        w_x, w_h, b_x, b_h = self.layer.parameters()
        inputs, recurrent = F.linear(x, w_x, b_x + b_h), PACE * w_h.T
        h, y = carry["h"], []
        for x_t, kept in zip(inputs.unbind(), reset_masks(starts), strict=True):
            if kept is not None:
                h = h * kept[:, None]
            h = torch.tanh(torch.addmm(x_t, h, recurrent))
            y.append(h)
        return torch.stack(y), {"h": h}


AGENTS = (Trainable("rnn", "recurrent: simple tanh units (Elman 1990)", RNN, rollout=12_800),)
