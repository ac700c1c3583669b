"""The inner loop of gradient-based meta-learning: a small network, one gradient step a transition.

A network of one tanh layer holds, for each episode, weights W1 [H, I] and W2 [K, H + 1] (biases
are the last columns: x and [h, 1] end in a 1):

    h = tanh(W1 x),   z = W2 [h, 1]

After a transition (x, a, r) one of two losses is followed downhill, elementwise step sizes A, and
the baseline b, which only the first reads, follows the reward:

    policy_gradient   L = -(r - b) log p[a] + c sum p log p,  p = softmax(z)
    value             L = (z[a] - r)^2 / 2

    d2 = dL/dz,  d1 = (1 - h^2) W2^T d2,   W2' = W2 - A2 d2 [h, 1]^T,   W1' = W1 - A1 d1 x^T
    b' = b + eta (r - b)

(Williams 1992, with the entropy term of Williams & Peng 1991; Widrow & Hoff 1960.)

The step is an explicit formula, so one backward pass over the sequence gives the meta-gradient
through all the steps, of second order (Finn et al. 2017, "Model-agnostic meta-learning for fast
adaptation of deep networks") or, with the inner gradient taken for constant in W1 and W2, of first
order. That pass is derived by hand: on bandits the plain loop under autograd takes 1.2 to 1.7 times
as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from metalocus.agents.cells.base import keep, start_steps, views

LOSSES = ("policy_gradient", "value")


class Transitions(NamedTuple):
    """What N episodes of T steps are given; episodes come last, so that kernels run at full width.

    Attributes:
        x: inputs [T + 1, I, N], from the last step before on.
        action: one-hot, of the transition before each step, zeros where there is none, [T, K, N].
        reward: of that transition, [T, N].
        starts: 1 where theta is put back to the initial one, [T, N].
    """

    x: Tensor
    action: Tensor
    reward: Tensor
    starts: Tensor


class Theta(NamedTuple):
    """Parameters: layer1 [H, I, N], layer2 [K, H + 1, N], baseline [N]; initial ones have N = 1."""

    layer1: Tensor
    layer2: Tensor
    baseline: Tensor


class Rates(NamedTuple):
    """Step sizes of the inner loop.

    Attributes:
        a1: of the first layer, [H, I, 1]; None if it stays as it is.
        a2: of the second layer, [K, H + 1, 1].
        eta: of the baseline, [].
        c: weight of the entropy, [].
    """

    a1: Tensor | None
    a2: Tensor
    eta: Tensor
    c: Tensor


def inner_loop(
    given: Transitions, theta: Theta, first: Theta, rates: Rates, loss: str, second_order: bool
) -> tuple[Tensor, Tensor, Theta]:
    """Run T steps; each takes the gradient step on the transition before it, then reads out.

    Args:
        given: inputs.
        theta: of each episode as it was at the last step before.
        first: which it has at an episode's start.
        rates: step sizes.
        loss: one of ``LOSSES``.
        second_order: differentiate the inner gradient with respect to W1 and W2 too, and to what
            they make of x; if not, only with respect to a, r, b and c.

    Returns:
        z [T, K, N], h [T, H, N], and theta at the last step.
    """
    z, h, *after = _inner_loop(*given, *theta, *first, *rates, loss == "value", second_order)
    return z, h, Theta(*after)


class _InnerLoop(torch.autograd.Function):
    """The T steps.

    The same as this loop over one episode:

        h = tanh(w1 @ x[0])
        z = w2 @ [h, 1]
        for t in range(T):
            d2, b = _error(z, action[t], reward[t], b, eta, c, value)
            q = w2[:, :-1].T @ d2
            d1 = (1 - h * h) * q
            w1, w2 = w1 - a1 * outer(d1, x[t]), w2 - a2 * outer(d2, [h, 1])
            if starts[t]:
                w1, w2, b = first
            h = tanh(w1 @ x[t + 1])
            z = w2 @ [h, 1]

    Theta of every step is stored, since a step cannot be undone exactly. Arrays of all steps are
    made at once and their views by ``unbind``, which costs less than indexing; products of
    theta's size share one array. In the backward pass a d before a name makes it the gradient
    there.
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, ...]:
        x, action, reward, starts, w1, w2, b, *first, a1, a2, eta, c = inputs[:14]
        ctx.value, ctx.second_order = inputs[14:]
        steps, (hidden, _, n) = len(action), w1.shape
        h, z = x.new_ones(steps + 1, hidden + 1, n), x.new_empty(steps + 1, *action.shape[1:])
        d2, q = torch.empty_like(action), x.new_empty(steps, hidden, n)
        w1s, w2s, bs = (each.new_empty(steps + 1, *each.shape) for each in (w1, w2, b))
        w1s[0], w2s[0], bs[0] = w1, w2, b
        scratch, ctx.began = (torch.empty_like(w1), torch.empty_like(w2)), set(start_steps(starts))
        activities, thetas = views(x, h, h[:, :-1], z), views(w1s, w2s, bs)
        _read_out(activities[0], w1, w2, scratch)
        for t, (a, r, d2_t, q_t) in enumerate(views(action, reward, d2, q)):
            (x_t, h_t, hidden_t, z_t), (w1, w2, b), new = activities[t], thetas[t], thetas[t + 1]
            error, new[2][:] = _error(z_t, a, r, b, eta, c, ctx.value)
            row = d2_t.copy_(error)[:, None]
            torch.addcmul(w2, torch.mul(h_t, row, out=scratch[1]), a2, value=-1, out=new[1])
            if a1 is None:
                new[0].copy_(w1)
            else:
                torch.sum(torch.mul(w2[:, :-1], row, out=scratch[1][:, :-1]), 0, out=q_t)
                d1 = _tanh_backward(q_t, hidden_t)[:, None]
                torch.addcmul(w1, torch.mul(x_t, d1, out=scratch[0]), a1, value=-1, out=new[0])
            if t in ctx.began:
                for each, initial in zip(new, first, strict=True):
                    each.copy_(torch.where(starts[t] > 0, initial, each))
            _read_out(activities[t + 1], new[0], new[1], scratch)
        ctx.save_for_backward(x, action, reward, starts, a1, a2, eta, c, h, z, d2, q, w1s, w2s, bs)
        return z[1:], h[1:, :-1], w1s[-1].clone(), w2s[-1].clone(), bs[-1].clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, action, reward, starts, a1, a2, eta, c, h, z, d2, q, w1s, w2s, bs = ctx.saved_tensors
        theta = dw1, dw2, db = [grad.clone() for grad in grads[2:]]
        at_first = [torch.zeros_like(grad) for grad in theta]
        da1, da2 = torch.zeros_like(dw1), torch.zeros_like(dw2)
        dz, dh = torch.zeros_like(z[0]), torch.zeros_like(h[0, :-1])
        dd2s, dbs = torch.zeros_like(d2), torch.zeros_like(reward)
        dx = torch.zeros_like(x) if ctx.needs_input_grad[0] else None
        scratch = torch.empty_like(dw2)
        narrow = scratch[:, :-1]
        activities = views(x, h, h[:, :-1], w1s, w2s[:, :, :-1])
        found = views(d2[:, :, None], q, _tanh_backward(q, h[:-1, :-1]), dd2s, dbs)
        p, taken = torch.softmax(z[:-1], 1), action.sum(1)
        pull, flat = p * taken[:, None] - action, _flatten(p)
        slopes = views(p, taken * (reward - bs[:-1]), flat, c * taken)
        to_b = views(pull, eta * taken)

        def read_out(t: int) -> None:
            """Through the outputs of step t, from dz and dh there."""
            x_t, h_t, hidden, w1, w2 = activities[t]
            dh.add_(torch.mul(w2, dz[:, None], out=narrow).sum(0))
            du = _tanh_backward(dh, hidden)[:, None]
            dw1.addcmul_(x_t, du)
            dw2.addcmul_(h_t, dz[:, None])
            if dx is not None:
                dx[t] += (w1 * du).sum(0)

        for t in reversed(range(len(action))):
            dz += grads[0][t]
            dh += grads[1][t]
            read_out(t + 1)
            if t in ctx.began:
                _through_start(theta, at_first, starts[t])
            # through the gradient step, to d2 and, of second order, to h, W2 and x
            (x_t, h_t, hidden, _, w2), (row, q_t, d1, dd2, db_t) = activities[t], found[t]
            da2.addcmul_(torch.mul(dw2, h_t, out=scratch), row, value=-1)
            torch.sum(scratch.mul_(a2), 1, out=dd2).neg_()
            torch.mul(dw2, a2, out=scratch)
            torch.sum(narrow.mul_(row), 0, out=dh).neg_()
            if a1 is not None:
                along = dw1 * x_t
                da1.addcmul_(along, d1[:, None], value=-1)
                dd1 = along.mul_(a1).sum(1).neg_()
                dq = _tanh_backward(dd1, hidden)
                dd2 += torch.mul(w2, dq, out=narrow).sum(1)
                if ctx.second_order:
                    dh.addcmul_(dd1.mul_(q_t), hidden, value=-2)
                    dw2[:, :-1].addcmul_(dq, row)
                    if dx is not None:
                        dx[t] -= (dw1 * a1 * d1[:, None]).sum(0)
            # through the loss and the baseline's step
            db_t.copy_(db)
            pull_t, pace = to_b[t]
            if ctx.value:
                torch.mul(action[t], (action[t] * dd2).sum(0), out=dz)
                db -= db * pace
            else:
                _through_policy_gradient(dz, dd2, *slopes[t])
                db -= torch.addcmul((dd2 * pull_t).sum(0), db, pace)
            if not ctx.second_order:
                dz.zero_()
                dh.zero_()
        read_out(0)
        read = (z[:-1], action, reward, bs[:-1], eta, c)
        daction, dreward, deta, dc = _through_error(read, ctx.value, dd2s, dbs)
        da1, da2, *dfirst = (grad.sum(-1, keepdim=True) for grad in (da1, da2, *at_first))
        rates = None if a1 is None else da1, da2, deta, dc
        return dx, daction, dreward, None, *theta, *dfirst, *rates, None, None


_inner_loop: Any = _InnerLoop.apply
_tanh_backward: Any = torch.ops.aten.tanh_backward


def _read_out(to: Any, layer1: Tensor, layer2: Tensor, scratch: Sequence[Tensor]) -> None:
    """Of x [I, N] into h [H + 1, N], by its part [H, N], and z [K, N]; ``to`` are these four."""
    x, h, hidden, z = to
    torch.sum(torch.mul(layer1, x, out=scratch[0]), 1, out=hidden).tanh_()
    torch.sum(torch.mul(layer2, h, out=scratch[1]), 1, out=z)


def _through_start(grads: Sequence[Tensor], at_first: Sequence[Tensor], starts: Tensor) -> None:
    """Gradients at theta [..., N] go to the initial one, by episode, where starts [N] is 1."""
    for grad, first in zip(grads, at_first, strict=True):
        first += grad * starts
        grad *= keep(starts)


def _error(
    z: Tensor, action: Tensor, reward: Tensor, b: Tensor, eta: Tensor, c: Tensor, value: bool
) -> tuple[Tensor, Tensor]:
    """dL/dz of logits or values z [..., K, N], zeros where there is no action, and b' [..., N]."""
    taken = action.sum(-2)
    baseline = torch.lerp(b, reward, eta * taken)
    taken, reward, b = (each.unsqueeze(-2) for each in (taken, reward, b))
    if value:
        return action * ((action * z).sum(-2, keepdim=True) - taken * reward), baseline
    p = torch.softmax(z, -2)
    return torch.addcmul((p * taken - action) * (reward - b), _flatten(p) * taken, c), baseline


def _through_error(
    read: Sequence[Tensor], value: bool, dd2: Tensor, db: Tensor
) -> tuple[Tensor, ...]:
    """Gradients at action, reward, eta and c, by autograd for all steps at once.

    Args:
        read: the first arguments of :func:`_error`, of every step.
        value: its last one.
        dd2: gradient at its first result, [T, K, N].
        db: at its second one, [T, N].
    """
    z, action, reward, b, eta, c = (each.detach().requires_grad_() for each in read)
    with torch.enable_grad():
        results = _error(z, action, reward, b, eta, c, value)
    return torch.autograd.grad(
        results, (action, reward, eta, c), (dd2, db), allow_unused=True, materialize_grads=True
    )


def _through_policy_gradient(
    out: Tensor, dd2: Tensor, p: Tensor, push: Tensor, flat: Tensor, spread: Tensor
) -> None:
    """The gradient at logits from that at the policy gradient d2.

    Args:
        out: where it goes, [K, N].
        dd2: gradient at d2, [K, N].
        p: probabilities [K, N].
        push: r - b, zero where there is no action, [N].
        flat: gradient of sum p log p at the logits, [K, N].
        spread: c, zero where there is no action, [N].
    """
    above = dd2 - (p * dd2).sum(0)
    by_entropy = (flat * above).addcmul_(p, above - (flat * dd2).sum(0))
    torch.mul(push * p, above, out=out).addcmul_(by_entropy, spread)


def _flatten(p: Tensor) -> Tensor:
    """Gradient of sum p log p at the logits of p [..., K, N]."""
    information = p.clamp_min(torch.finfo(p.dtype).tiny).log()
    return p * (information - (p * information).sum(-2, keepdim=True))
