"""Gated recurrent units with a hand-derived backward pass.

The recurrence of Cho et al. 2014 in PyTorch's parametrisation:

    r, z = sigmoid(W_r x + U_r h + b_r), sigmoid(W_z x + U_z h + b_z)
    n = tanh(W_n x + b_n + r (U_n h + c_n)),   h' = (1 - z) n + z h

With the derived pass training takes 0.9 of the time that it takes with PyTorch's kernel, measured
on bandits in minibatches of 32 episodes; at 128 rows and more the kernel would be faster. Arrays
are feature-first, [H, N], as in the LSTM.
What does not depend on the step before (the inputs' part of the gates, the slopes of the
nonlinearities, the weights' gradients) is computed for all steps at once.
"""

from __future__ import annotations

from collections.abc import Mapping
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
)


class GRU(RecurrentCell):
    """One layer of gated recurrent units, with PyTorch's parameters.

    Before training input weights are large (:func:`~metalocus.agents.cells.base.init_inputs_`), and
    the update gate z keeps what was there for long
    (:func:`~metalocus.agents.cells.base.init_chrono_`), whatever the input: its own input weights
    are a quarter of the others. Its slowest unit remembers for ``longest`` steps.

    Carries ``h`` [N, H], activations (state).
    """

    name: ClassVar[str] = "gru"
    carried: ClassVar[Mapping[str, str]] = {"h": "state"}

    def __init__(
        self, input_size: int, hidden_size: int = 64, ticks: int = 1, longest: float = LONGEST
    ) -> None:
        super().__init__(ticks)
        self.layer = nn.GRU(input_size, hidden_size)
        self.output_size = hidden_size
        w_x, _, bias, other = self.layer.parameters()
        z = slice(hidden_size, 2 * hidden_size)
        init_inputs_(w_x)
        init_chrono_(bias[z], longest)
        with torch.no_grad():
            w_x[z] /= 4
            other[z] = 0.0

    def initial(self, n: int) -> Carry:
        """Units at rest, zeros [N, H]."""
        return {"h": next(self.parameters()).new_zeros(n, self.output_size)}

    def run(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, I] -> [T, N, H]."""
        y, h = _gru_sequence(x, starts, *self.layer.parameters(), carry["h"].T)
        return y, {"h": h.T}


class _GRUSequence(torch.autograd.Function):
    """A sequence: x [T, N, I], h [H, N] -> y [T, N, H], h.

    The same as this loop, with weights [3H, I] and [3H, H] in rows r, z, n:

        for t in range(T):
            h = h * keep(starts[t])
            r, z = sigmoid(w_x[:2H] @ x[t].T + w_h[:2H] @ h + b_x[:2H] + b_h[:2H]).chunk(2)
            u = w_h[2H:] @ h + b_h[2H:]
            n = tanh(w_x[2H:] @ x[t].T + b_x[2H:] + r * u)
            y[t] = h = (1 - z) * n + z * h
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        x, starts, w_x, w_h, b_x, b_h, h = inputs
        two = 2 * w_h.shape[1]
        gates = torch.matmul(w_x, x.transpose(1, 2)).add_(b_x[:, None])
        gates[:, :two] += b_h[:two, None]
        w_rz, w_n, c_n = w_h[:two], w_h[two:], b_h[two:, None]
        u, y = (torch.empty_like(gates[:, two:]) for _ in range(2))
        ctx.resets, first_h = reset_masks(starts), h
        r, z, n = (gate.unbind() for gate in gates.chunk(3, dim=1))
        steps = zip(gates[:, :two].unbind(), r, z, n, u.unbind(), y.unbind(), strict=True)
        for (rz_t, r_t, z_t, n_t, u_t, y_t), kept in zip(steps, ctx.resets, strict=True):
            if kept is not None:
                h = h * kept
            rz_t.addmm_(w_rz, h).sigmoid_()
            torch.addmm(c_n, w_n, h, out=u_t)
            n_t.addcmul_(r_t, u_t).tanh_()
            h = torch.lerp(n_t, h, z_t, out=y_t)
        ctx.save_for_backward(x, starts, w_x, w_h, first_h, gates, u, y)
        return y.transpose(1, 2), h.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, starts, w_x, w_h, first_h, gates, u, y = ctx.saved_tensors
        hidden = w_h.shape[1]
        r, z, n = gates.chunk(3, dim=1)
        before = torch.cat([first_h[None], y[:-1]]) * keep(starts)[:, None]
        # gradients at n, r, z before their nonlinearities and at u = U_n h + c_n: the first
        # three reach the inputs, the last three the recurrent weights
        d = y.new_empty(len(y), 4 * hidden, y.shape[2])
        d_x, d_h = d[:, : 3 * hidden], d[:, hidden:]
        slope_n, slope_r = (1 - z) * (1 - n * n), r * (1 - r) * u
        slope_z = z * (1 - z) * (before - n)
        dy, dh, back = grads[0].transpose(1, 2).contiguous(), grads[1].clone(), w_h.T.contiguous()
        given = (dy, slope_n, slope_r, slope_z, r, z, d_h, *d.chunk(4, dim=1))
        steps_back = list(zip(*(a.unbind() for a in given), ctx.resets, strict=True))
        for dy_t, s_n, s_r, s_z, r_t, z_t, d_t, dn, dr, dz, du, kept in reversed(steps_back):
            dh += dy_t
            torch.mul(dh, s_n, out=dn)
            torch.mul(dn, s_r, out=dr)
            torch.mul(dh, s_z, out=dz)
            torch.mul(dn, r_t, out=du)
            dh.mul_(z_t).addmm_(back, d_t)
            if kept is not None:
                dh *= kept
        w_nrz = torch.cat([w_x[2 * hidden :], w_x[: 2 * hidden]])
        dx = torch.matmul(w_nrz.T, d_x).transpose(1, 2) if ctx.needs_input_grad[0] else None
        dw_x, dw_h = torch.einsum("thn,tni->hi", d_x, x), torch.einsum("thn,tkn->hk", d_h, before)
        db_x, db_h = d_x.sum(dim=(0, 2)), d_h.sum(dim=(0, 2))
        return dx, None, dw_x.roll(-hidden, 0), dw_h, db_x.roll(-hidden, 0), db_h, dh


_gru_sequence: Any = _GRUSequence.apply

AGENTS = (Trainable("gru", "recurrent: gated recurrent units (Cho 2014)", GRU, rollout=12_800),)
