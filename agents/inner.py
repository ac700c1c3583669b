"""The inner loop of gradient-based meta-learning: a small network, one gradient step a transition.

A network of one tanh layer holds, for each episode, weights W1 [I, H] and W2 [H + 1, K] (biases
are the last rows, so x and h below end in a 1):

    h = tanh(x W1),   z = [h, 1] W2

After a transition (x, a, r) one of two losses is followed downhill, elementwise step sizes A:

    policy_gradient   -(r - b) log softmax(z)[a],  b' = b + eta (r - b)     (Williams 1992)
    value             (z[a] - r)^2 / 2                                      (Widrow & Hoff 1960)

    d2 = dL/dz,  d1 = (1 - h^2) W2 d2,   W2' = W2 - A2 [h, 1] d2^T,   W1' = W1 - A1 x d1^T

The update is an explicit formula, so its derivative is taken by hand: one backward pass over the
sequence gives the meta-gradient through all the updates, of second order (Finn et al. 2017,
"Model-agnostic meta-learning for fast adaptation of deep networks") or, with the inner gradient
taken for constant in W1 and W2, of first order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from metalocus.agents.cell import start_steps

LOSSES = ("policy_gradient", "value")


class Episodes(NamedTuple):
    """What N episodes are given: x [T + 1, N, I] from the last step before on; actions one-hot
    [T, N, K] and rewards [T, N, 1] of the transition before each step, zero where there is none;
    starts [T, N]."""

    x: Tensor
    action: Tensor
    reward: Tensor
    starts: Tensor


class Theta(NamedTuple):
    """Parameters: w1 [N, I, H], w2 [N, H + 1, K], baseline [N, 1]; the initial ones without N."""

    w1: Tensor
    w2: Tensor
    baseline: Tensor


class Rates(NamedTuple):
    """Step sizes: a1 [I, H] or None if the first layer stays, a2 [H + 1, K], eta []."""

    a1: Tensor | None
    a2: Tensor
    eta: Tensor


def inner_loop(
    given: Episodes, theta: Theta, start: Theta, rates: Rates, loss: str, second_order: bool
) -> tuple[Tensor, Tensor, Theta]:
    """Run T steps; each takes the gradient step on the transition before it, then reads out.

    Args:
        given: inputs.
        theta: of each episode as it was at the last step before.
        start: which it has at an episode's start.
        rates: step sizes.
        loss: one of ``LOSSES``.
        second_order: differentiate the inner gradient with respect to W1 and W2 too.

    Returns:
        z [T, N, K], h [T, N, H], and theta at the last step.
    """
    z, h, *after = _inner_loop(*given, *theta, *start, *rates, loss == "value", second_order)
    return z, h, Theta(*after)


class _InnerLoop(torch.autograd.Function):
    """Arrays of all steps are made at once and their views by ``unbind``; theta is kept of every
    step, since the update cannot be undone exactly."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, ...]:
        x, action, reward, starts, w1, w2, b, first1, first2, first_b, a1, a2, eta = inputs[:13]
        ctx.value, ctx.second = inputs[13:]
        (steps, n, arms), hidden = action.shape, w1.shape[2]
        h, z = x.new_ones(steps + 1, n, hidden + 1), x.new_empty(steps + 1, n, arms)
        p, d2, q, d1 = (x.new_empty(steps, n, k) for k in (arms, arms, hidden, hidden))
        w1s, w2s = x.new_empty(steps + 1, *w1.shape), x.new_empty(steps + 1, *w2.shape)
        bs = x.new_empty(steps + 1, n, 1)
        w1s[0], w2s[0], bs[0] = w1, w2, b
        taken, outer1, outer2 = action.sum(-1, keepdim=True), torch.empty_like(w1), torch.empty_like(w2)
        rows = _views(x.unsqueeze(2), h.unsqueeze(2), h[:, :, None, :-1], z.unsqueeze(2))
        columns = list(zip(*(each.unsqueeze(3).unbind() for each in (x, h)), strict=True))
        thetas, began = _views(w1s, w2s, w2s[:, :, :-1], bs), set(start_steps(starts))
        _read_out(*rows[0], *thetas[0][:2])
        for t, (p_t, d2_t, d2_row, d2_column, q_t, d1_t, d1_row, a, r, v) in enumerate(
            _views(
                p, d2, d2.unsqueeze(2), d2.unsqueeze(3), q.unsqueeze(3), d1, d1.unsqueeze(2),
                action, reward, taken,
            )
        ):  # fmt: skip
            (w1, w2, w2_hidden, b), (w1_new, w2_new, _, b_new) = thetas[t], thetas[t + 1]
            if ctx.value:
                error = (a * z[t]).sum(-1, keepdim=True) - v * r
                torch.mul(a, error, out=d2_t)
                b_new.copy_(b)
            else:
                torch.softmax(z[t], -1, out=p_t)
                torch.mul(p_t, v, out=d2_t).sub_(a).mul_(r - b)
                torch.addcmul(b, r - b, eta * v, out=b_new)
            torch.mul(columns[t][1], d2_row, out=outer2)
            torch.addcmul(w2, outer2, a2, value=-1, out=w2_new)
            if a1 is None:
                w1_new.copy_(w1)
            else:
                torch.bmm(w2_hidden, d2_column, out=q_t)
                _tanh_backward(q_t[..., 0], rows[t][2][:, 0], grad_input=d1_t)
                torch.mul(columns[t][0], d1_row, out=outer1)
                torch.addcmul(w1, outer1, a1, value=-1, out=w1_new)
            if t in began:
                new = starts[t].bool()
                w1_new[new], w2_new[new], b_new[new] = first1, first2, first_b
            _read_out(*rows[t + 1], w1_new, w2_new)
        ctx.began = began
        ctx.save_for_backward(x, action, reward, starts, a1, a2, eta, h, z, p, d2, q, d1, w1s, w2s, bs)
        return z[1:], h[1:, :, :-1], w1s[-1].clone(), w2s[-1].clone(), bs[-1].clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, action, reward, starts, a1, a2, eta, h, z, p, d2, q, d1, w1s, w2s, bs = ctx.saved_tensors
        steps = len(action)
        dw1, dw2, db = (g.clone() for g in grads[2:])
        zeros = torch.zeros_like
        dx, daction, dreward = zeros(x), zeros(action), zeros(reward)
        dfirst1, dfirst2, dfirst_b = zeros(dw1[0]), zeros(dw2[0]), zeros(db[0])
        da1, da2, deta = zeros(dw1), zeros(dw2), zeros(eta)
        dz, dh = zeros(z[0]), zeros(h[0, :, :-1])
        for t in range(steps, -1, -1):
            if t > 0:
                dz, dh = dz + grads[0][t - 1], dh + grads[1][t - 1]
            h_t = h[t, :, :-1]
            dh = dh + torch.bmm(w2s[t, :, :-1], dz[:, :, None])[..., 0]
            du = dh * (1 - h_t * h_t)
            dw2 += h[t, :, :, None] * dz[:, None]
            dw1 += x[t, :, :, None] * du[:, None]
            dx[t] += torch.bmm(w1s[t], du[:, :, None])[..., 0]
            if t == 0:
                break
            s = t - 1
            if s in ctx.began:
                new = starts[s].bool()
                dfirst1 += dw1[new].sum(0)
                dfirst2 += dw2[new].sum(0)
                dfirst_b += db[new].sum(0)
                dw1[new], dw2[new], db[new] = 0.0, 0.0, 0.0
            d2_s, h_s, hid = d2[s], h[s], h[s, :, :-1]
            da2.addcmul_(h_s[:, :, None] * d2_s[:, None], dw2, value=-1)
            v2 = a2 * dw2
            dd2 = -torch.bmm(h_s[:, None], v2)[:, 0]
            dh = -torch.bmm(v2, d2_s[:, :, None])[:, :-1, 0]
            if a1 is not None:
                da1.addcmul_(x[s][:, :, None] * d1[s][:, None], dw1, value=-1)
                v1 = a1 * dw1
                dd1 = -torch.bmm(x[s][:, None], v1)[:, 0]
                dx[s] -= torch.bmm(v1, d1[s][:, :, None])[..., 0]
                dq = dd1 * (1 - hid * hid)
                dh = dh - 2 * dd1 * q[s] * hid
                dd2 = dd2 + torch.bmm(dq[:, None], w2s[s, :, :-1])[:, 0]
                if ctx.second:
                    dw2[:, :-1] += dq[:, :, None] * d2_s[:, None]
            a, r, v = action[s], reward[s], action[s].sum(-1, keepdim=True)
            if ctx.value:
                error = (a * z[s]).sum(-1, keepdim=True) - v * r
                de = (a * dd2).sum(-1, keepdim=True)
                daction[s] = dd2 * error + de * (z[s] - r)
                dreward[s] = -v * de
                dz = a * de
            else:
                advantage = r - bs[s]
                dp = dd2 * advantage * v
                daction[s] = advantage * ((p[s] * dd2).sum(-1, keepdim=True) - dd2)
                daction[s] += (db * eta * advantage)
                dadvantage = (dd2 * (p[s] * v - a)).sum(-1, keepdim=True) + db * eta * v
                deta += (db * v * advantage).sum()
                dreward[s] = dadvantage
                db = db - dadvantage
                dz = p[s] * (dp - (p[s] * dp).sum(-1, keepdim=True))
            if not ctx.second:
                dz, dh = torch.zeros_like(dz), torch.zeros_like(dh)
        return (
            dx, daction, dreward, None, dw1, dw2, db, dfirst1, dfirst2, dfirst_b,
            None if a1 is None else da1.sum(0), da2.sum(0), deta, None, None,
        )  # fmt: skip


_inner_loop: Any = _InnerLoop.apply
_tanh_backward: Any = torch.ops.aten.tanh_backward.grad_input


def _views(*arrays: Tensor) -> list[tuple[Tensor, ...]]:
    """For every step its view of each array."""
    return list(zip(*(array.unbind() for array in arrays), strict=True))


def _read_out(x: Tensor, h: Tensor, hidden: Tensor, z: Tensor, w1: Tensor, w2: Tensor) -> None:
    """Into ``hidden`` [N, 1, H], a part of h [N, 1, H + 1], and z [N, 1, K]; x [N, 1, I]."""
    hidden.copy_(torch.bmm(x, w1).tanh_())
    torch.bmm(h, w2, out=z)
