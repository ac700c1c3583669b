"""What the Hebbian cells share: a recurrent network whose connections change as it runs.

    g = tanh(W_x x + b + h (W + alpha M)),   h' = tanh(b + g (W + alpha M))
    M' = decay M + s h^T g

Miconi et al. 2018, "Differentiable plasticity": a plastic connection is a trained weight W
plus a trained share alpha of its Hebbian trace M, a running product of what fires before it
and after it. Here alpha belongs to the neuron before, not to each connection, so that it
scales activities and no pass over the traces is spent on it. A trial is two steps of the
network, as a cue and the answer to it are in that work: the observation arrives at the
first, so that the second can read with it what the traces hold. What is written ties the end
of the last trial to the observation that came of it.

The backward pass is derived by hand, which takes about 0.4 of the time of the plain recurrence
under autograd. Traces are kept only every SEGMENT trials and computed again from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from metalocus.agents.cells.base import Carry, Cell, init_inputs_, reset_masks, views
from metalocus.envs.checks import require, require_number, require_probability

SEGMENT = 10
"""Trials from one kept trace to the next: about the square root of an episode's, which keeps both
what is stored and what is computed again small."""


class Plastic(Cell):
    """``hidden_size`` recurrent tanh units, of which the first P have plastic connections.

    Carries ``hebb`` [N, P, P], the traces of the connections between those (weights), and
    ``h`` [N, H], activations (state).

    Args:
        input_size: width of the inputs.
        hidden_size: H.
        plastic_size: P.
        decay: of the traces before training.
        input_bound: greatest input weight before training, of up to a dozen inputs
            (`init_inputs_`). Where a stimulus has many bits, large ones saturate the units, and
            similar stimuli look unalike.
        alpha: greatest alpha before training. Traces add up, and saturate the units of long
            episodes unless it is small.
        identity: share of the identity in the connections before training, the rest of which
            are random. With it what is written at an answer is found again by the stimulus.

    Raises:
        InvalidTask: a number is out of its range.
    """

    carried: ClassVar[Mapping[str, str]] = {"hebb": "weights", "h": "state"}
    gated: ClassVar[bool]
    """Whether a tanh unit that reads g sets s; otherwise s is 1 - decay, which makes the trace a
    running average."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 64,
        plastic_size: int = 32,
        decay: float = 0.99,
        input_bound: float = 4.0,
        alpha: float = 0.1,
        identity: float = 0.0,
    ) -> None:
        super().__init__()
        decay = require_probability("decay", decay)
        identity = require_probability("identity", identity)
        require(0.0 < decay < 1.0, "decay must be above 0 and below 1, since it is trained")
        self.input = nn.Linear(input_size, hidden_size)
        init_inputs_(self.input.weight, require_number("input_bound", input_bound, 0.0))
        self.recurrent = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.alpha = nn.Parameter(torch.empty(min(plastic_size, hidden_size)))
        self.decay = nn.Parameter(torch.logit(torch.tensor(decay)))
        bound = (1.0 - identity) * hidden_size**-0.5
        nn.init.uniform_(self.recurrent, -bound, bound)
        self.recurrent.data.diagonal().add_(identity)
        nn.init.uniform_(self.alpha, 0.0, require_number("alpha", alpha, 0.0))
        self.gate = nn.Linear(hidden_size, 1) if self.gated else None
        self.output_size = hidden_size

    def initial(self, n: int) -> Carry:
        """Empty traces and units at rest: zeros."""
        size, like = len(self.alpha), self.alpha
        return {"hebb": like.new_zeros(n, size, size), "h": like.new_zeros(n, self.output_size)}

    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, I] -> [T, N, H]."""
        own = (self.recurrent, self.input.bias, self.alpha)
        gate = None if self.gate is None else torch.cat([self.gate.weight[0], self.gate.bias])
        how = (torch.sigmoid(self.decay), gate)
        y, hebb = _plastic_sequence(self.input(x), starts, *own, *how, carry["h"], carry["hebb"])
        return y, {"hebb": hebb, "h": y[-1]}


class _PlasticSequence(torch.autograd.Function):
    """A sequence: W_x x + b [T, N, H], ..., h [N, H], hebb [N, P, P] -> y [T, N, H], hebb.

    The same as this loop, with the factors on h and hebb where an episode starts left out:

        for t in range(T):
            g = tanh(u[t] + h @ w + [(alpha * h[:P]) @ hebb, 0])
            y[t] = tanh(b + g @ w + [(alpha * g[:P]) @ hebb, 0])
            s = 1 - decay, or tanh(modulator[:-1] @ g + modulator[-1])
            hebb = decay * hebb + s * outer(h[:P], g[:P])
            h = y[t]

    Arrays of both steps of a trial are [T, 2, N, H]: what enters the connections, h and g, and
    the gradients at what leaves them. Views of every step are made once, by ``unbind``, since
    making them in the loops would cost as much as the arithmetic.
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor]:
        u, starts, w, b, alpha, decay, modulator, h, hebb = inputs
        (steps, n, hidden), size = u.shape, len(alpha)
        entering, y = u.new_empty(steps, 2, n, hidden), torch.empty_like(u)
        strength = (1.0 - decay).repeat(steps, n, 1)
        scaled, written = u.new_empty(n, 1, size), u.new_empty(n, size, 1)
        hebb, traces, resets, faded = hebb.clone(), [], reset_masks(starts), decay.item()
        activities = views(entering[:, 0], entering[:, 1], y, u, strength)
        rows = views(*(a[:, :, None, :size] for a in (entering[:, 0], entering[:, 1], y)))
        columns = views(entering[:, 0, :, :size, None], strength[..., None])
        for t, kept in enumerate(resets):
            h_t, g_t, y_t, u_t, s = activities[t]
            pre, post, answer = rows[t]
            if t % SEGMENT == 0:
                traces.append(hebb.clone())
            h_t.copy_(h if kept is None else h * kept[:, None])
            if kept is not None:
                hebb *= kept[:, None, None]
            torch.addmm(u_t, h_t, w, out=g_t)
            post += torch.bmm(torch.mul(pre, alpha, out=scaled), hebb)
            g_t.tanh_()
            h = torch.addmm(b, g_t, w, out=y_t)
            answer += torch.bmm(torch.mul(post, alpha, out=scaled), hebb)
            h.tanh_()
            if modulator is not None:
                torch.addmm(modulator[-1], g_t, modulator[:-1, None], out=s).tanh_()
            hebb.baddbmm_(torch.mul(*columns[t], out=written), post, beta=faded)
        ctx.resets = resets
        ctx.save_for_backward(w, alpha, decay, modulator, entering, y, strength, *traces)
        return y, hebb

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        w, alpha, decay, modulator, entering, y, strength, *traces = ctx.saved_tensors
        size, resets, last, faded = len(alpha), ctx.resets, len(y) - 1, decay.item()
        leaving, ds = torch.empty_like(entering), torch.empty_like(strength)[..., None]
        active = entering[..., :size]
        scaled, read = active * alpha, torch.empty_like(active)
        written = active[:, 0, :, :, None] * strength[..., None]
        dh, dhebb, back = torch.zeros_like(y[0]), grads[1].clone(), w.T.contiguous()
        dg, fading = torch.empty_like(dh), dh.new_empty(last + 1)
        dg_plastic, dh_plastic = dg[:, None, :size], dh[:, None, :size]
        to_post, to_pre = (dh.new_empty(len(dh), 1, size) for _ in range(2))
        segment = [torch.empty_like(dhebb) for _ in range(SEGMENT)]
        both, out_of, sums = (a.unsqueeze(3) for a in (active, leaving[..., :size], read))
        rows = views(both[:, 0], both[:, 1], out_of[:, 0], out_of[:, 1], sums[:, 0], sums[:, 1])
        columns = views(active[:, 1, :, :, None], scaled.permute(0, 2, 3, 1))
        activities = views(grads[0], y, entering[:, 1], leaving[:, 0], leaving[:, 1])
        strengths = views(strength, strength[..., None], ds, ds[..., 0], fading)
        pairs = leaving[..., :size].transpose(1, 2).unbind()
        for t in reversed(range(last + 1)):
            if t % SEGMENT == SEGMENT - 1 or t == last:
                past = slice(t - t % SEGMENT, t + 1)
                _replay(segment, traces.pop(), faded, written[past], both[past, 1], resets[past])
            pre, post, at_pre, at_post, read_1, read_2 = rows[t]
            post_column, scaled_columns = columns[t]
            dy, y_t, g_t, at_g, at_y = activities[t]
            s, s_row, ds_t, ds_flat, fading_t = strengths[t]
            hebb, back_through, kept = segment[t % SEGMENT], segment[t % SEGMENT].mT, resets[t]
            torch.bmm(pre, dhebb, out=to_post)
            torch.bmm(post, dhebb.mT, out=to_pre)
            torch.bmm(to_post, post_column, out=ds_t)
            torch.dot(dhebb.view(-1), hebb.view(-1), out=fading_t)
            _tanh_backward(dh.add_(dy), y_t, grad_input=at_y)
            torch.mm(at_y, back, out=dg)
            torch.bmm(at_post, back_through, out=read_2)
            dg_plastic.addcmul_(to_post, s_row).addcmul_(read_2, alpha)
            if modulator is not None:
                dg.addcmul_(_tanh_backward(ds_flat, s, grad_input=ds_flat), modulator[:-1])
            _tanh_backward(dg, g_t, grad_input=at_g)
            torch.mm(at_g, back, out=dh)
            torch.bmm(at_pre, back_through, out=read_1)
            dh_plastic.addcmul_(to_pre, s_row).addcmul_(read_1, alpha)
            dhebb.baddbmm_(scaled_columns, pairs[t], beta=faded)
            if kept is not None:
                dh *= kept[:, None]
                dhebb *= kept[:, None, None]
        dw = entering.flatten(0, 2).T @ leaving.flatten(0, 2)
        du, db, dalpha = leaving[:, 0], leaving[:, 1].sum((0, 1)), (read * active).sum((0, 1, 2))
        if modulator is None:
            return du, None, dw, db, dalpha, fading.sum() - ds.sum(), None, dh, dhebb
        dmodulator = torch.cat([ds.flatten() @ entering[:, 1].flatten(0, 1), ds.sum()[None]])
        return du, None, dw, db, dalpha, fading.sum(), dmodulator, dh, dhebb


_plastic_sequence: Any = _PlasticSequence.apply
_tanh_backward: Any = torch.ops.aten.tanh_backward.grad_input


def _replay(
    out: Sequence[Tensor],
    hebb: Tensor,
    faded: float,
    written: Tensor,
    rows: Tensor,
    resets: Sequence[Tensor | None],
) -> None:
    """Compute again the traces that the trials of a segment read.

    Args:
        out: where they go, [N, P, P] each.
        hebb: the trace that was carried into the segment, [N, P, P].
        faded: the decay.
        written: strength times h, [T, N, P, 1].
        rows: g, [T, N, 1, P].
        resets: factors [N] on the trace carried into each trial, None where no episode starts.
    """
    change = None
    for trace, kept, *wrote in zip(out, resets, written.unbind(), rows.unbind(), strict=False):
        trace.copy_(hebb)
        if change is not None:
            trace.baddbmm_(*change, beta=faded)
        if kept is not None:
            trace *= kept[:, None, None]
        hebb, change = trace, wrote
