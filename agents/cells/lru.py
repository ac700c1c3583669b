"""Linear recurrent units: a diagonal linear recurrence.

    h' = a h + g B u,   y = Re(C h) + D u        (Orvieto et al. 2023)

with u the input, h and a complex, |a| < 1 and g = sqrt(1 - |a|^2) before training, so that all of h
begins at one scale. The inputs are first embedded by tanh units, and y passes a gated linear
unit beside a skip connection: what is not linear is local in time.

The recurrence is a loop: at the lengths of these episodes, up to a few hundred steps, a parallel
scan over time takes as long on a CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from metalocus.agents.cells.base import Carry, RecurrentCell, Trainable, init_inputs_, reset_masks

SLOWEST = 0.999
"""Greatest |a| before training: a memory of a thousand steps."""
FASTEST = 0.5
"""Least |a| before training: a memory of two steps."""
TURN = 0.3
"""Greatest phase of a before training, in radians a step: a turn takes twenty steps or more."""


class LRU(RecurrentCell):
    """An embedding and one layer of linear recurrent units.

    Carries ``h`` [N, 2, H], activations (state): real and imaginary parts.
    """

    name: ClassVar[str] = "lru"
    carried: ClassVar[Mapping[str, str]] = {"h": "state"}

    def __init__(self, input_size: int, hidden_size: int = 64, ticks: int = 1) -> None:
        super().__init__(ticks)
        self.embed = nn.Linear(input_size, hidden_size)
        init_inputs_(self.embed.weight)
        square = FASTEST**2 + torch.rand(hidden_size) * (SLOWEST**2 - FASTEST**2)
        self.log_decay = nn.Parameter((-square.log() / 2).log())
        self.log_turn = nn.Parameter((TURN * torch.rand(hidden_size) + 1e-4).log())
        self.log_gain = nn.Parameter((1 - square).log() / 2)
        self.write = nn.Linear(hidden_size, 2 * hidden_size, bias=False)
        self.read = nn.Linear(2 * hidden_size, hidden_size)
        self.direct = nn.Linear(hidden_size, hidden_size, bias=False)
        self.gate = nn.Linear(hidden_size, hidden_size)
        self.output_size = hidden_size

    def initial(self, n: int) -> Carry:
        """Units at rest, zeros [N, 2, H]."""
        return {"h": self.log_gain.new_zeros(n, 2, self.output_size)}

    def run(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, I] -> [T, N, H]."""
        u = torch.tanh(self.embed(x))
        a = torch.exp(torch.complex(-self.log_decay.exp(), self.log_turn.exp()))
        b = torch.complex(*(self.write(u) * self.log_gain.exp().repeat(2)).chunk(2, dim=-1))
        h, steps = torch.complex(*carry["h"].unbind(1)), []
        for b_t, kept in zip(b.unbind(), reset_masks(starts), strict=True):
            if kept is not None:
                h = h * kept[:, None]
            h = torch.addcmul(b_t, a, h)
            steps.append(h)
        states = torch.stack(steps)
        y = self.read(torch.cat([states.real, states.imag], dim=-1)) + self.direct(u)
        last = torch.stack([h.real, h.imag], dim=1)
        return u + y * torch.sigmoid(self.gate(y)), {"h": last}


AGENTS = (Trainable("lru", "recurrent: linear units (Orvieto 2023)", LRU),)
