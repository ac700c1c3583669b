"""Long short-term memory, with a way to run one step and two to run a sequence.

The recurrence of Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000,
in PyTorch's parametrisation:

    i, f, g, o = sigmoid(W_i z), sigmoid(W_f z), tanh(W_g z), sigmoid(W_o z),  z = [h, x, 1]
    c' = f c + i g,   h' = o tanh(c')

One step is PyTorch's cell. PyTorch's kernel for sequences is the fastest for few rows, but knows
nothing of episode starts inside a sequence, so it runs from one start to the next. Many rows, or
starts at many steps, run in a loop over time with a hand-derived backward pass, which then takes
about half the time of the plain loop under autograd and of PyTorch's kernel. Its arrays are
feature-first, [H, N], so that each gate is one contiguous block and every elementwise kernel runs
at full width; input, recurrent and bias weights are one matrix, so a step is one product forward
and two backward. Weight gradients are accumulated while the step's arrays are still in cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from metalocus.agents.cells.base import (
    LONGEST,
    Carry,
    RecurrentCell,
    Trainable,
    init_chrono_,
    init_inputs_,
    keep,
    reset_masks,
    start_steps,
)

FEW_ROWS = 64
"""Rows up to which PyTorch's kernel is faster than the loop, measured at 64 units."""
LONG_RUN = 8
"""Mean steps from one episode start to the next from which PyTorch's kernel is faster."""


class LSTM(RecurrentCell):
    """``n_layers`` stacked LSTM layers with PyTorch's parameters.

    Carries ``h`` and ``c``, [N, L, H] each, both as activations (state).

    Before training the first layer's input weights are large
    (:func:`~metalocus.agents.cells.base.init_inputs_`), a quarter of that in the forget gate, and
    its units remember for long, the slowest for ``longest`` steps
    (:func:`~metalocus.agents.cells.base.init_chrono_`). The input gate's bias is minus the
    forget gate's, so that a unit that forgets slowly also fills slowly.
    """

    name: ClassVar[str] = "lstm"
    carried: ClassVar[Mapping[str, str]] = {"h": "state", "c": "state"}

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 64,
        n_layers: int = 1,
        ticks: int = 1,
        longest: float = LONGEST,
    ) -> None:
        super().__init__(ticks)
        self.layers = nn.ModuleList(
            nn.LSTM(input_size if layer == 0 else hidden_size, hidden_size)
            for layer in range(n_layers)
        )
        self.output_size = hidden_size
        _prepare(self.layers[0], longest)

    def initial(self, n: int) -> Carry:
        """Units at rest, zeros [N, L, H]."""
        shape = (n, len(self.layers), self.output_size)
        like = next(self.parameters())
        return {"h": like.new_zeros(shape), "c": like.new_zeros(shape)}

    def run(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, I] -> [T, N, H]."""
        h_last, c_last = [], []
        steps, n = starts.shape
        if steps == 1:
            run = _by_cell
        else:
            few, long = n <= FEW_ROWS, steps >= LONG_RUN * len(start_steps(starts))
            run = _by_kernel if (few or x.is_cuda) and long else _by_loop
        for depth, layer in enumerate(self.layers):
            x, h, c = run(x, starts, layer, carry["h"][:, depth], carry["c"][:, depth])
            h_last.append(h)
            c_last.append(c)
        return x, {"h": torch.stack(h_last, dim=1), "c": torch.stack(c_last, dim=1)}


def _by_cell(
    x: Tensor, starts: Tensor, layer: nn.Module, h: Tensor, c: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """One layer at one step: x [1, N, I], h and c [N, H]."""
    kept = keep(starts[0])[:, None]
    h, c = torch.lstm_cell(x[0], (h * kept, c * kept), *layer.parameters())
    return h[None], h, c


def _by_kernel(
    x: Tensor, starts: Tensor, layer: nn.Module, h: Tensor, c: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """One layer by PyTorch's kernel, from start to start: x [T, N, I], h and c [N, H]."""
    weights: list[Tensor] = list(layer.parameters())
    ys, training = [], torch.is_grad_enabled()
    for first, end in _segments(starts):
        kept = keep(starts[first])[:, None]
        before = ((h * kept)[None], (c * kept)[None])
        y, h, c = torch.lstm(x[first:end], before, weights, True, 1, 0.0, training, False, False)
        h, c = h[0], c[0]
        ys.append(y)
    return torch.cat(ys) if len(ys) > 1 else ys[0], h, c


def _by_loop(
    x: Tensor, starts: Tensor, layer: nn.Module, h: Tensor, c: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """One layer by :class:`_LSTMSequence`: x [T, N, I], h and c [N, H]."""
    w_x, w_h, b_x, b_h = layer.parameters()
    y, h, c = _lstm_sequence(x, starts, w_x, w_h, b_x + b_h, h.T, c.T)
    return y, h.T, c.T


class _LSTMSequence(torch.autograd.Function):
    """One layer over a sequence: x [T, N, I], h and c [H, N] -> y [T, N, H], h, c.

    Views of every step are made once, by ``unbind``: indexing in the loop costs as much as
    the arithmetic.
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, starts, w_x, w_h, b, h, c = inputs
        steps, n, size = x.shape
        hidden = w_h.shape[1]
        order = _sigmoid_gates_first(hidden, x.device)
        w = torch.cat([w_h, w_x, b[:, None]], dim=1)[order]
        z = x.new_empty(steps, hidden + size + 1, n)
        z[:, hidden:-1] = x.transpose(1, 2)
        z[:, -1] = 1.0
        gates, y, cs, tanh_cs = (x.new_empty(steps, k * hidden, n) for k in (4, 1, 1, 1))
        first_c, resets = c, reset_masks(starts)
        sigmoids, gs = gates[:, : 3 * hidden].unbind(), gates[:, 3 * hidden :].unbind()
        parts = zip(*(gate.unbind() for gate in gates.chunk(4, dim=1)[:3]), strict=True)
        rows = zip(z.unbind(), z[:, :hidden].unbind(), gates.unbind(), sigmoids, gs, strict=True)
        results = zip(y.unbind(), cs.unbind(), tanh_cs.unbind(), strict=True)
        for kept, (z_t, z_h, gate, sigmoid, g), (i, f, o), (y_t, c_t, tanh_c) in zip(
            resets, rows, parts, results, strict=True
        ):
            if kept is not None:
                h, c = h * kept, c * kept
            z_h.copy_(h)
            torch.mm(w, z_t, out=gate)
            sigmoid.sigmoid_()
            g.tanh_()
            c = torch.mul(f, c, out=c_t).addcmul_(i, g)
            torch.tanh(c, out=tanh_c)
            h = torch.mul(o, tanh_c, out=y_t)
        ctx.save_for_backward(w, order, z, gates, first_c, cs, tanh_cs)
        ctx.resets = resets
        return y.transpose(1, 2), h.clone(), c.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        w, order, z, gates, first_c, cs, tanh_cs = ctx.saved_tensors
        steps, hidden, n = cs.shape
        dh, dc = grads[1].clone(), grads[2].clone()
        dx = z.new_empty(steps, z.shape[1] - hidden - 1, n) if ctx.needs_input_grad[0] else None
        dw, w_hidden, w_input = torch.zeros_like(w), w[:, :hidden].T.contiguous(), w[:, hidden:-1].T
        d, scratch = z.new_empty(4 * hidden, n), z.new_empty(hidden, n)
        di, df, do, dg = d.chunk(4)
        d_sigmoids = d[: 3 * hidden]
        resets, c_before = ctx.resets, [first_c, *cs.unbind()[:-1]]
        dy = grads[0].transpose(1, 2).contiguous()  # strided reads would cost more than the copy
        given = (dy, z.transpose(1, 2), gates[:, : 3 * hidden], tanh_cs)
        steps_back = zip(*(a.unbind() for a in (*given, *gates.chunk(4, dim=1))), strict=True)
        for t, (dy_t, z_t, sigmoid, tanh_c, i, f, o, g) in reversed(list(enumerate(steps_back))):
            kept, c = resets[t], c_before[t]
            dh += dy_t
            torch.mul(dh, tanh_c, out=do)
            dh *= o  # from here on the gradient at o tanh(c), then at c
            torch.mul(dh, tanh_c, out=scratch)
            dc += dh.addcmul_(scratch, tanh_c, value=-1)
            torch.mul(dc, g, out=di)
            torch.mul(dc, c if kept is None else c * kept, out=df)
            torch.mul(dc, i, out=dg)
            d_sigmoids *= sigmoid  # s' = s - s s
            d_sigmoids.addcmul_(d_sigmoids, sigmoid, value=-1)
            torch.mul(dg, g, out=scratch)
            dg.addcmul_(scratch, g, value=-1)  # tanh' = 1 - tanh tanh
            dw.addmm_(d, z_t)
            if dx is not None:
                torch.mm(w_input, d, out=dx[t])
            dc *= f
            torch.mm(w_hidden, d, out=dh)
            if kept is not None:
                dh *= kept
                dc *= kept
        dw = torch.empty_like(dw).index_copy_(0, order, dw)
        dx = None if dx is None else dx.transpose(1, 2)
        return dx, None, dw[:, hidden:-1], dw[:, :hidden], dw[:, -1], dh, dc


_lstm_sequence: Any = _LSTMSequence.apply


def _sigmoid_gates_first(hidden: int, device: torch.device) -> Tensor:
    """Row order (i, f, o, g) out of PyTorch's (i, f, g, o), [4H]."""
    rows = torch.arange(4 * hidden, device=device).view(4, hidden)
    return rows[[0, 1, 3, 2]].reshape(-1)


def _prepare(layer: nn.Module, longest: float) -> None:
    """Initialise the first layer; see :class:`LSTM`."""
    w_x, _, bias, other = layer.parameters()
    hidden = len(w_x) // 4
    enter, stay = slice(0, hidden), slice(hidden, 2 * hidden)
    init_inputs_(w_x)
    init_chrono_(bias[stay], longest)
    with torch.no_grad():
        w_x[stay] /= 4.0
        bias[enter] = bias[stay]
        bias[enter] *= -1.0
        other[: 2 * hidden] = 0.0


def _segments(starts: Tensor) -> list[tuple[int, int]]:
    """First step and end of every run of steps in which no row's episode starts but at the first.

    Args:
        starts: [T, N].
    """
    return list(pairwise(sorted({0, *start_steps(starts), len(starts)})))


AGENTS = (
    Trainable("lstm", "recurrent: a long short-term memory, all feedback seen", LSTM),
    Trainable("lstm2", "recurrent: two stacked LSTM layers", LSTM, cell_kwargs={"n_layers": 2}),
)
