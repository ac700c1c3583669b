"""Minimal gated recurrent units: a linear recurrence, computed by a parallel scan over time.

    z = sigmoid(W_z x + b_z),   h' = (1 - z) h + z (W_h x + b_h)        (Feng et al. 2024)

Gates see the inputs alone, so that all T steps are known at once but for h, and h is a
linear recurrence with logarithmic depth (Blelloch 1990). Layers are stacked; a deeper one
sees what those below it carry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from metalocus.agents.cell import Carry, Cell, Trainable, keep


class MinGRU(Cell):
    """``n_layers`` stacked layers of minimal gated recurrent units.

    Carries ``h`` [N, L, H], activations (state).
    """

    name: ClassVar[str] = "mingru"
    carried: ClassVar[Mapping[str, str]] = {"h": "state"}

    def __init__(self, input_size: int, hidden_size: int = 64, n_layers: int = 2) -> None:
        super().__init__()
        sizes = [input_size] + [hidden_size] * (n_layers - 1)
        self.layers = nn.ModuleList(nn.Linear(size, 2 * hidden_size) for size in sizes)
        self.output_size = hidden_size

    def initial(self, n: int) -> Carry:
        """Zeros."""
        like = next(self.parameters())
        return {"h": like.new_zeros(n, len(self.layers), self.output_size)}

    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, I] -> [T, N, H]."""
        kept, last = keep(starts)[..., None], []
        for depth, layer in enumerate(self.layers):
            gate, candidate = layer(x).chunk(2, dim=-1)
            written = torch.sigmoid(gate) * candidate
            stays = torch.sigmoid(-gate) * kept
            first = torch.addcmul(written[:1], stays[:1], carry["h"][:, depth])
            x = _linear_scan(stays, torch.cat([first, written[1:]]))
            last.append(x[-1])
        return x, {"h": torch.stack(last, dim=1)}


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
        later = torch.cat([a[1:], torch.zeros_like(a[:1])])
        db = _scan(later.flip(0), grads[0].flip(0)).flip(0)
        return torch.cat([torch.zeros_like(h[:1]), db[1:] * h[:-1]]), db


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


AGENTS = (
    Trainable("mingru", "recurrent: linear in its state, scanned in parallel (2024)", MinGRU),
)
