"""The inner loop of gradient-based meta-learning: a small network, one gradient step a transition.

A network of one tanh layer holds, for each episode, weights W1 [H, I] and W2 [K, H + 1] (biases
are the last columns: x ends in a 1):

    h = tanh(W1 x),   z = W2 [h, 1]

After a transition (x, a, r) one of two losses is followed downhill, elementwise step sizes A:

    policy_gradient   -(r - b) log softmax(z)[a],  b' = b + eta (r - b)     (Williams 1992)
    value             (z[a] - r)^2 / 2                                      (Widrow & Hoff 1960)

    d2 = dL/dz,  d1 = (1 - h^2) W2^T d2,   W2' = W2 - A2 d2 [h, 1]^T,   W1' = W1 - A1 d1 x^T

The update is an explicit formula, so its derivative is taken by hand: one backward pass over the
sequence gives the meta-gradient through all the updates, of second order (Finn et al. 2017,
"Model-agnostic meta-learning for fast adaptation of deep networks") or, with the inner gradient
taken for constant in W1 and W2, of first order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from metalocus.agents.cell import keep, start_steps

LOSSES = ("policy_gradient", "value")


class Episodes(NamedTuple):
    """What N episodes are given: x [T + 1, I, N] from the last step before on; actions one-hot
    [T, K, N] and rewards [T, N] of the transition before each step, zero actions where there is
    none; starts [T, N], 1 where theta is put back to the initial one."""

    x: Tensor
    action: Tensor
    reward: Tensor
    starts: Tensor


class Theta(NamedTuple):
    """Parameters: w1 [H, I, N], w2 [K, H + 1, N], baseline [N]; the initial ones have N = 1."""

    w1: Tensor
    w2: Tensor
    baseline: Tensor


class Rates(NamedTuple):
    """Step sizes: a1 [H, I, 1] or None if the first layer stays, a2 [K, H + 1, 1], eta []."""

    a1: Tensor | None
    a2: Tensor
    eta: Tensor


def inner_loop(
    given: Episodes, theta: Theta, first: Theta, rates: Rates, loss: str, second_order: bool
) -> tuple[Tensor, Tensor, Theta]:
    """Run T steps; each takes the gradient step on the transition before it, then reads out.

    Args:
        given: inputs.
        theta: of each episode as it was at the last step before.
        first: which it has at an episode's start.
        rates: step sizes.
        loss: one of ``LOSSES``.
        second_order: differentiate the inner gradient with respect to W1 and W2 too, and to what
            they make of x; if not, only with respect to a, r and b.

    Returns:
        z [T, K, N], h [T, H, N], and theta at the last step.
    """
    z, h, *after = _inner_loop(*given, *theta, *first, *rates, loss == "value", second_order)
    return z, h, Theta(*after)


class _InnerLoop(torch.autograd.Function):
    """Episodes come last in every array here, so that all kernels run at full width.

    Arrays of all steps are made at once and their views by ``unbind``; theta is kept of every
    step, since the update cannot be undone exactly.
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, ...]:
        x, action, reward, starts, w1, w2, b, *first, a1, a2, eta = inputs[:13]
        ctx.value, ctx.second_order = inputs[13:]
        steps, hidden, n = len(action), *w1.shape[::2]
        h, z = x.new_ones(steps + 1, hidden + 1, n), x.new_empty(steps + 1, *action.shape[1:])
        d2, q = torch.empty_like(action), x.new_empty(steps, hidden, n)
        w1s, w2s, bs = (each.new_empty(steps + 1, *each.shape) for each in (w1, w2, b))
        w1s[0], w2s[0], bs[0] = w1, w2, b
        scratch, began = (torch.empty_like(w1), torch.empty_like(w2)), set(start_steps(starts))
        taken = action.sum(1)
        activities, thetas = _views(x, h, h[:, :-1], z), _views(w1s, w2s, w2s[:, :, :-1], bs)
        given, found = _views(action, reward, taken, eta * taken), _views(d2, d2.unsqueeze(2), q)
        _read_out(*activities[0], *thetas[0][:2], scratch)
        for t, ((a, r, v, pace), (d2_t, d2_row, q_t)) in enumerate(zip(given, found, strict=True)):
            (x_t, h_t, hidden_t, z_t), (w1, w2, w2_hidden, b) = activities[t], thetas[t]
            w1_new, w2_new, _, b_new = thetas[t + 1]
            if ctx.value:
                torch.mul(a, (a * z_t).sum(0) - v * r, out=d2_t)
                b_new.copy_(b)
            else:
                torch.mul(torch.softmax(z_t, 0), v, out=d2_t).sub_(a).mul_(r - b)
                torch.lerp(b, r, pace, out=b_new)
            torch.mul(h_t, d2_row, out=scratch[1])
            torch.addcmul(w2, scratch[1], a2, value=-1, out=w2_new)
            if a1 is None:
                w1_new.copy_(w1)
            else:
                torch.sum(torch.mul(w2_hidden, d2_row, out=scratch[1][:, :-1]), 0, out=q_t)
                d1 = _tanh_backward(q_t, hidden_t)
                torch.mul(x_t, d1[:, None], out=scratch[0])
                torch.addcmul(w1, scratch[0], a1, value=-1, out=w1_new)
            if t in began:
                for new, initial in zip((w1_new, w2_new, b_new), first, strict=True):
                    new.copy_(torch.where(starts[t] > 0, initial, new))
            _read_out(*activities[t + 1], w1_new, w2_new, scratch)
        ctx.began = began
        ctx.save_for_backward(x, action, reward, starts, a1, a2, eta, h, z, d2, q, w1s, w2s, bs)
        return z[1:], h[1:, :-1], w1s[-1].clone(), w2s[-1].clone(), bs[-1].clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, action, reward, starts, a1, a2, eta, h, z, d2, q, w1s, w2s, bs = ctx.saved_tensors
        dw1, dw2, db = (grad.clone() for grad in grads[2:])
        firsts = [torch.zeros_like(each) for each in (dw1, dw2, db)]
        da1, da2, scratch = torch.zeros_like(dw1), torch.zeros_like(dw2), torch.empty_like(dw2)
        dz, dh, narrow = torch.zeros_like(z[0]), torch.zeros_like(h[0, :-1]), scratch[:, :-1]
        dd2, dbs, du, dx = (torch.zeros_like(each) for each in (d2, reward, h[:, :-1], x))
        d1, taken = _tanh_backward(q, h[:-1, :-1]), action.sum(1)
        pull, push, p = _loss_terms(ctx.value, action, reward, taken, z[:-1], bs[:-1])
        to_x, deeper = ctx.needs_input_grad[0] and ctx.second_order, ctx.second_order
        activities = _views(h, h[:, :-1], x, w2s[:, :, :-1], du, dx)
        found = _views(*(grad.contiguous() for grad in grads[:2]), d2, d2.unsqueeze(2), q, d1)
        losses = _views(dd2, dbs, pull, push, p, eta * taken)
        for t in reversed(range(len(action))):
            gz, gh, d2_t, d2_row, q_t, d1_t = found[t]
            _read_out_backward(dz.add_(gz), dh.add_(gh), *activities[t + 1][:5], dw1, dw2, narrow)
            if t in ctx.began:
                for grad, first in zip((dw1, dw2, db), firsts, strict=True):
                    first += grad * starts[t]
                    grad *= keep(starts[t])
            h_t, hidden_t, x_t, w2_t, _, dx_t = activities[t]
            dd2_t, dbs_t, pull_t, push_t, p_t, pace = losses[t]
            torch.mul(dw2, h_t, out=scratch)
            da2.addcmul_(scratch, d2_row, value=-1)
            torch.sum(scratch.mul_(a2), 1, out=dd2_t).neg_()
            torch.mul(dw2, a2, out=scratch)
            torch.sum(narrow.mul_(d2_row), 0, out=dh).neg_()
            if a1 is not None:
                v1 = dw1 * x_t
                da1.addcmul_(v1, d1_t[:, None], value=-1)
                dd1 = v1.mul_(a1).sum(1).neg_()
                dq = _tanh_backward(dd1, hidden_t)
                dh.addcmul_(dd1.mul_(q_t), hidden_t, value=-2)
                dd2_t += torch.mul(w2_t, dq, out=narrow).sum(1)
                if to_x:
                    dx_t -= (dw1 * a1 * d1_t[:, None]).sum(0)
                if deeper:
                    dw2[:, :-1].addcmul_(dq, d2_row)
            dbs_t.copy_(db)
            if ctx.value:
                torch.mul(pull_t, (pull_t * dd2_t).sum(0), out=dz)
            else:
                dz = torch._softmax_backward_data(dd2_t * push_t, p_t, 0, p_t.dtype)
                db -= torch.addcmul((dd2_t * pull_t).sum(0), db, pace)
            if not deeper:
                dz, dh = torch.zeros_like(dz), dh.zero_()
        activity = activities[0][:5]
        _read_out_backward(dz, dh, *activity, dw1, dw2, narrow)
        to_inputs = _input_gradients(ctx.value, dd2, dbs, d2, z[:-1], bs[:-1], action, reward, eta)
        if ctx.needs_input_grad[0]:
            dx += torch.einsum("thin,thn->tin", w1s, du)
        return (
            dx, *to_inputs[:2], None, dw1, dw2, db, *(first.sum(-1, keepdim=True) for first in firsts),
            None if a1 is None else da1.sum(-1, keepdim=True), da2.sum(-1, keepdim=True), to_inputs[2],
            None, None,
        )  # fmt: skip


_inner_loop: Any = _InnerLoop.apply
_tanh_backward: Any = torch.ops.aten.tanh_backward


def _views(*arrays: Tensor) -> list[tuple[Tensor, ...]]:
    """For every step its view of each array."""
    return list(zip(*(array.unbind() for array in arrays), strict=True))


def _read_out(
    x: Tensor, h: Tensor, hidden: Tensor, z: Tensor, w1: Tensor, w2: Tensor, scratch: tuple[Tensor, Tensor]
) -> None:
    """Into ``hidden`` [H, N], a part of h [H + 1, N], and z [K, N]; of x [I, N]."""
    torch.sum(torch.mul(w1, x, out=scratch[0]), 1, out=hidden).tanh_()
    torch.sum(torch.mul(w2, h, out=scratch[1]), 1, out=z)


def _read_out_backward(
    dz: Tensor, dh: Tensor, h: Tensor, hidden: Tensor, x: Tensor, w2: Tensor, du: Tensor,
    dw1: Tensor, dw2: Tensor, scratch: Tensor,
) -> None:  # fmt: skip
    """Add to dw1 and dw2, and write du, the gradient before tanh; dz [K, N], dh [H, N]."""
    dh += torch.mul(w2, dz[:, None], out=scratch).sum(0)
    du.copy_(_tanh_backward(dh, hidden))
    dw2.addcmul_(h, dz[:, None])
    dw1.addcmul_(x, du[:, None])


def _loss_terms(
    value: bool, action: Tensor, reward: Tensor, taken: Tensor, z: Tensor, b: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """What the derivative of d2 needs: that by the reward but for its sign, [T, K, N], and for
    the policy gradient that by the probabilities, with these."""
    if value:
        return action, action, action
    p = torch.softmax(z, 1)
    return p * taken[:, None] - action, (taken * (reward - b))[:, None], p


def _input_gradients(
    value: bool, dd2: Tensor, dbs: Tensor, d2: Tensor, z: Tensor, b: Tensor, action: Tensor,
    reward: Tensor, eta: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Gradients at action [T, K, N], reward [T, N] and eta, from those at d2 and the baselines."""
    taken = action.sum(1)
    if value:
        error = (action * z).sum(1) - taken * reward
        derror = (action * dd2).sum(1)
        by_action = dd2 * error[:, None] + derror[:, None] * (z - reward[:, None])
        return by_action, -taken * derror, torch.zeros_like(eta)
    p, surprise = torch.softmax(z, 1), reward - b
    by_reward = (dd2 * (p * taken[:, None] - action)).sum(1) + dbs * eta * taken
    by_action = ((p * dd2).sum(1, keepdim=True) - dd2) * surprise[:, None]
    by_action += (dbs * eta * surprise)[:, None]
    return by_action, by_reward, (dbs * taken * surprise).sum()
