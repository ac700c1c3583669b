"""The simple recurrent network, with a hand-derived backward pass fused over time.

    h' = tanh(W_x x + W_h h + b)        (Elman 1990)

A bandit asks such a network to tell pairs of action and reward apart and to add them up over
many trials. Units that do the one cannot do the other, since large inputs saturate them: they
begin as two halves. As in the LSTM arrays are feature-first, [H, N]. All that does not wait
for the step before (the inputs' share, tanh's slope, the weights' gradients) is done for all
steps at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from metalocus.agents.cells.base import (
    LONGEST,
    Carry,
    Cell,
    Trainable,
    init_inputs_,
    keep,
    reset_masks,
)

PACE = 0.3
"""Recurrent weights are their parameters times this, so that Adam, whose steps are alike for all
parameters, moves them less: a unit remembers n steps if its weight on itself is right to 1 / n."""
WRITE = 0.16
"""Weights of the first half on the second at first, in parts of PyTorch's."""


class RNN(Cell):
    """One layer of tanh units, with PyTorch's parameters but for :data:`PACE`.

    At first one half of the units hears the input loudly, and the other hears only them, faintly,
    and keeps its value (Le, Jaitly & Hinton 2015, "A simple way to initialize recurrent networks
    of rectified linear units") for 1 to ``LONGEST`` steps, as gated units do.

    Carries ``h`` [N, H], activations (state).
    """

    name: ClassVar[str] = "rnn"
    carried: ClassVar[Mapping[str, str]] = {"h": "state"}

    def __init__(self, input_size: int, hidden_size: int = 64) -> None:
        super().__init__()
        self.layer = nn.RNN(input_size, hidden_size)
        self.output_size = hidden_size
        self._halve()

    @torch.no_grad()
    def _halve(self) -> None:
        w_x, w_h, b_x, b_h = self.layer.parameters()
        half = self.output_size // 2
        init_inputs_(w_x)
        for silent in (w_x, b_x, b_h):
            silent[:half] = 0.0
        kept = 1 - 1 / w_h.new_empty(half).uniform_(1.0, LONGEST)
        w_h[:half, :half] = kept.diag()
        w_h[:half, half:] *= WRITE
        w_h.div_(PACE)

    def initial(self, n: int) -> Carry:
        """Zeros."""
        return {"h": next(self.parameters()).new_zeros(n, self.output_size)}

    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, I] -> [T, N, H]."""
        w_x, w_h, b_x, b_h = self.layer.parameters()
        y, h = _rnn_sequence(x, starts, w_x, PACE * w_h, b_x + b_h, carry["h"].T)
        return y, {"h": h.T}


class _RNNSequence(torch.autograd.Function):
    """A sequence: x [T, N, I], h [H, N] -> y [T, N, H], h."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        x, starts, w_x, w_h, b, h = inputs
        y = torch.matmul(w_x, x.transpose(1, 2)).add_(b[:, None])
        ctx.resets, first_h = reset_masks(starts), h
        for y_t, kept in zip(y.unbind(), ctx.resets, strict=True):
            h = y_t.addmm_(w_h, h if kept is None else h * kept).tanh_()
        ctx.save_for_backward(x, starts, w_x, w_h, first_h, y)
        return y.transpose(1, 2), h.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, starts, w_x, w_h, first_h, y = ctx.saved_tensors
        before = torch.cat([first_h[None], y[:-1]]) * keep(starts)[:, None]
        slope, back = 1 - y * y, w_h.T.contiguous()
        d, dh = grads[0].transpose(1, 2).contiguous(), grads[1]
        steps_back = list(zip(d.unbind(), slope.unbind(), ctx.resets, strict=True))
        for d_t, slope_t, kept in reversed(steps_back):
            d_t.add_(dh).mul_(slope_t)
            dh = torch.mm(back, d_t)
            if kept is not None:
                dh *= kept
        dx = torch.matmul(w_x.T, d).transpose(1, 2) if ctx.needs_input_grad[0] else None
        dw_x, dw_h = torch.einsum("thn,tni->hi", d, x), torch.einsum("thn,tkn->hk", d, before)
        return dx, None, dw_x, dw_h, d.sum(dim=(0, 2)), dh


_rnn_sequence: Any = _RNNSequence.apply

AGENTS = (Trainable("rnn", "recurrent: simple tanh units (Elman 1990)", RNN, rollout=12_800),)
