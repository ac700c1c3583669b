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

The backward pass is derived by hand. Traces are kept only every SEGMENT trials and written
again from there.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from metalocus.agents.cell import Carry, Cell, reset_masks, widen_

SEGMENT = 10
FIRST_ALPHA = 0.1
"""Greatest alpha before training."""


class Plastic(Cell):
    """``hidden_size`` recurrent tanh units, of which the first P have plastic connections.

    Carries ``hebb`` [N, P, P], the traces of the connections between those (weights), and
    ``h`` [N, H], activations (state).

    Args:
        input_size: width of the inputs.
        hidden_size: H.
        plastic_size: P.
        decay: of the traces before training.
    """

    carried: ClassVar[Mapping[str, str]] = {"hebb": "weights", "h": "state"}

    def __init__(self, input_size: int, hidden_size: int, plastic_size: int, decay: float) -> None:
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        widen_(self.input.weight)
        self.recurrent = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.alpha = nn.Parameter(torch.empty(min(plastic_size, hidden_size)))
        self.decay = nn.Parameter(torch.logit(torch.tensor(decay)))
        nn.init.uniform_(self.recurrent, -(hidden_size**-0.5), hidden_size**-0.5)
        nn.init.uniform_(self.alpha, 0.0, FIRST_ALPHA)
        self.output_size = hidden_size

    def initial(self, n: int) -> Carry:
        """Zeros."""
        size, like = len(self.alpha), self.alpha
        return {"hebb": like.new_zeros(n, size, size), "h": like.new_zeros(n, self.output_size)}

    @abstractmethod
    def modulator(self) -> Tensor | None:
        """Weights and bias [H + 1] of the tanh unit that reads g and sets s, or None: then s is
        1 - decay, which makes the trace a running average."""

    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, I] -> [T, N, H]."""
        own = (self.recurrent, self.input.bias, self.alpha)
        how = (torch.sigmoid(self.decay), self.modulator())
        y, hebb = _plastic_sequence(self.input(x), starts, *own, *how, carry["h"], carry["hebb"])
        return y, {"hebb": hebb, "h": y[-1]}


class _PlasticSequence(torch.autograd.Function):
    """A sequence: W_x x + b [T, N, H], ..., h [N, H], hebb [N, P, P] -> y [T, N, H], hebb."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor]:
        u, starts, w, b, alpha, decay, modulator, first, hebb = inputs
        g, y, size = torch.empty_like(u), torch.empty_like(u), len(alpha)
        strength = torch.empty_like(u[..., :1]).fill_(1.0 - decay)
        h, hebb, traces, resets, faded = first, hebb.clone(), [], reset_masks(starts), decay.item()
        for t, (kept, u_t, g_t, y_t, s) in enumerate(
            zip(resets, *(each.unbind() for each in (u, g, y, strength)), strict=True)
        ):
            if t % SEGMENT == 0:
                traces.append(hebb.clone())
            if kept is not None:
                h = h * kept[:, None]
                hebb *= kept[:, None, None]
            pre, post = h[:, :size], g_t[:, :size]
            torch.addmm(u_t, h, w, out=g_t)
            post += _through(alpha * pre, hebb)
            g_t.tanh_()
            h = torch.addmm(b, g_t, w, out=y_t)
            h[:, :size] += _through(alpha * post, hebb)
            h.tanh_()
            if modulator is not None:
                torch.addmm(modulator[-1], g_t, modulator[:-1, None], out=s).tanh_()
            hebb.baddbmm_((s * pre)[:, :, None], post[:, None], beta=faded)
        ctx.resets = resets
        ctx.save_for_backward(w, alpha, decay, modulator, first, g, y, strength, *traces)
        return y, hebb

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        w, alpha, decay, modulator, first, g, y, strength, *traces = ctx.saved_tensors
        size, resets, last, faded = len(alpha), ctx.resets, len(g) - 1, decay.item()
        du, ds = torch.empty_like(g), torch.empty_like(strength)
        dw, db, dalpha, ddecay = (torch.zeros_like(each) for each in (w, w[0], alpha, decay))
        dh, dhebb, back = torch.zeros_like(first), grads[1].clone(), w.T.contiguous()
        before = [
            h if kept is None else h * kept[:, None]
            for h, kept in zip((first, *y.unbind()[:-1]), resets, strict=True)
        ]
        at_y, segment = torch.empty_like(dh), [torch.empty_like(dhebb) for _ in range(SEGMENT)]
        given = zip(before, *(a.unbind() for a in (g, y, strength, grads[0], du, ds)), strict=True)
        for t, (h, g_t, y_t, s, dy, at_g, ds_t) in reversed(list(enumerate(given))):
            if t % SEGMENT == SEGMENT - 1 or t == last:
                steps = slice(t - t % SEGMENT, t + 1)
                wrote = before[steps], g[steps], strength[steps], resets[steps]
                _replay(segment, traces.pop(), size, faded, *wrote)
            hebb, kept = segment[t % SEGMENT], resets[t]
            pre, post, at_pre, at_post = (each[:, :size] for each in (h, g_t, at_g, at_y))
            to_post = _through(pre, dhebb)
            to_pre = _through(post, dhebb.mT)
            torch.sum(to_post * post, dim=1, keepdim=True, out=ds_t)
            torch.add(ddecay, torch.dot(dhebb.flatten(), hebb.flatten()), out=ddecay)
            _tanh_backward(dh.add_(dy), y_t, grad_input=at_y)
            dg, read = at_y @ back, _through(at_post, hebb.mT)
            dg[:, :size].addcmul_(to_post, s).addcmul_(read, alpha)
            dalpha += (read * post).sum(dim=0)
            if modulator is not None:
                _tanh_backward(ds_t, s, grad_input=ds_t)
                dg.addcmul_(ds_t, modulator[:-1])
            _tanh_backward(dg, g_t, grad_input=at_g)
            torch.mm(at_g, back, out=dh)
            read = _through(at_pre, hebb.mT)
            dh[:, :size].addcmul_(to_pre, s).addcmul_(read, alpha)
            dalpha += (read * pre).sum(dim=0)
            dw.addmm_(h.T, at_g).addmm_(g_t.T, at_y)
            db += at_y.sum(dim=0)
            pairs = torch.stack([alpha * pre, alpha * post], dim=2), (at_pre, at_post)
            dhebb.baddbmm_(pairs[0], torch.stack(pairs[1], dim=1), beta=faded)
            if kept is not None:
                dh *= kept[:, None]
                dhebb *= kept[:, None, None]
        if modulator is None:
            return du, None, dw, db, dalpha, ddecay - ds.sum(), None, dh, dhebb
        dmodulator = torch.cat([ds.flatten() @ g.flatten(0, 1), ds.sum()[None]])
        return du, None, dw, db, dalpha, ddecay, dmodulator, dh, dhebb


_plastic_sequence: Any = _PlasticSequence.apply
_tanh_backward: Any = torch.ops.aten.tanh_backward.grad_input


def _through(activity: Tensor, weights: Tensor) -> Tensor:
    """Each episode's own connections, [N, A] and [N, A, B] -> [N, B]."""
    return torch.bmm(activity[:, None], weights)[:, 0]


def _replay(
    out: Sequence[Tensor],
    hebb: Tensor,
    size: int,
    faded: float,
    before: Sequence[Tensor],
    g: Tensor,
    strength: Tensor,
    resets: Sequence[Tensor | None],
) -> None:
    """Into ``out`` the traces [N, P, P] that the trials of a segment read, from the last before."""
    written = None
    for trace, h, g_t, s, kept in zip(out, before, g, strength, resets, strict=False):
        trace.copy_(hebb)
        if written is not None:
            trace.baddbmm_(*written, beta=faded)
        if kept is not None:
            trace *= kept[:, None, None]
        hebb, written = trace, ((s * h[:, :size])[:, :, None], g_t[:, None, :size])
