"""Linear recurrent units: a diagonal linear recurrence, computed by a parallel scan over time.

    h' = a h + g B u,   y = Re(C h) + D u        (Orvieto et al. 2023)

with u the input, h and a complex, |a| < 1 and g = sqrt(1 - |a|^2) at first, so that all of h
begins at one scale. The inputs are first embedded by tanh units, and y passes a gated linear
unit beside a skip connection: what is not linear is local in time. All T steps of h follow
at logarithmic depth (Blelloch 1990).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from metalocus.agents.cells.base import Carry, Cell, Trainable, init_inputs_, keep

SLOWEST = 0.999
"""Greatest |a| at first: a memory of a thousand steps."""
FASTEST = 0.5
TURN = 0.3
"""Greatest phase of a at first, in radians a step."""


class LRU(Cell):
    """An embedding and one layer of linear recurrent units.

    Carries ``h`` [N, 2, H], activations (state): real and imaginary parts.
    """

    name: ClassVar[str] = "lru"
    carried: ClassVar[Mapping[str, str]] = {"h": "state"}

    def __init__(self, input_size: int, hidden_size: int = 64) -> None:
        super().__init__()
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
        """Zeros."""
        return {"h": self.log_gain.new_zeros(n, 2, self.output_size)}

    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, I] -> [T, N, H]."""
        u = torch.tanh(self.embed(x))
        a = torch.exp(torch.complex(-self.log_decay.exp(), self.log_turn.exp()))
        a = a * keep(starts)[..., None]
        b = torch.complex(*(self.write(u) * self.log_gain.exp().repeat(2)).chunk(2, dim=-1))
        first = b[:1] + a[:1] * torch.complex(*carry["h"].unbind(1))
        h = _linear_scan(a, torch.cat([first, b[1:]]))
        y = self.read(torch.cat([h.real, h.imag], dim=-1)) + self.direct(u)
        last = torch.stack([h[-1].real, h[-1].imag], dim=1)
        return u + y * torch.sigmoid(self.gate(y)), {"h": last}


class _LinearScan(torch.autograd.Function):
    """h_t = a_t h_(t-1) + b_t from h_0 = b_0 on, along the first axis.

    Its gradient obeys the same recurrence in reversed time.
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        a, b = inputs
        h = _scan(a, b)
        ctx.save_for_backward(a, h)
        return h

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        a, h = ctx.saved_tensors
        later = torch.cat([a[1:], torch.zeros_like(a[:1])]).conj()
        db = _scan(later.flip(0), grads[0].flip(0)).flip(0)
        return torch.cat([torch.zeros_like(h[:1]), db[1:] * h[:-1].conj()]), db


_linear_scan: Any = _LinearScan.apply


def _scan(a: Tensor, b: Tensor) -> Tensor:
    """Two steps are one step with coefficients (a_1 a_0, a_1 b_0 + b_1): halve until one is left.

    That gives every second h; the others follow from the ones before them.
    """
    steps = len(b)
    if steps == 1:
        return b
    pairs = steps // 2
    a_0, a_1 = a[: 2 * pairs].view(pairs, 2, *a.shape[1:]).unbind(1)
    b_0, b_1 = b[: 2 * pairs].view(pairs, 2, *b.shape[1:]).unbind(1)
    h = torch.empty_like(b)
    odd = h[1::2] = _scan(a_0 * a_1, torch.addcmul(b_1, a_1, b_0))
    h[0] = b[0]
    h[2::2] = torch.addcmul(b[2::2], a[2::2], odd[: (steps - 1) // 2])
    return h


AGENTS = (Trainable("lru", "recurrent: linear units, scanned in parallel (Orvieto 2023)", LRU),)
