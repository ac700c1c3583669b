"""The inner loop of gradient-based meta-learning: a small network, one gradient step a transition.

A network of one tanh layer holds, for each episode, weights W1 [H, I] and W2 [K, H + 1] (biases
are the last columns: x ends in a 1):

    h = tanh(W1 x),   z = W2 [h, 1]

After a transition (x, a, r) one of two losses is followed downhill, elementwise step sizes A:

    policy_gradient   -(r - b) log p[a] + c sum p log p,  p = softmax(z),  b' = b + eta (r - b)
    value             (z[a] - r)^2 / 2

    d2 = dL/dz,  d1 = (1 - h^2) W2^T d2,   W2' = W2 - A2 d2 [h, 1]^T,   W1' = W1 - A1 d1 x^T

(Williams 1992, with the entropy term of Williams & Peng 1991; Widrow & Hoff 1960.)

The update is an explicit formula, so its derivative is taken by hand: one backward pass over the
sequence gives the meta-gradient through all the updates, of second order (Finn et al. 2017,
"Model-agnostic meta-learning for fast adaptation of deep networks") or, with the inner gradient
taken for constant in W1 and W2, of first order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from metalocus.agents.cells.base import keep, start_steps, views

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
    """Parameters: layer1 [H, I, N], layer2 [K, H + 1, N], baseline [N]; initial ones have N = 1."""

    layer1: Tensor
    layer2: Tensor
    baseline: Tensor


class Rates(NamedTuple):
    """Step sizes A: a1 [H, I, 1], or None if the first layer stays, and a2 [K, H + 1, 1]; and of
    the policy gradient eta [] and c [], the entropy's weight."""

    a1: Tensor | None
    a2: Tensor
    eta: Tensor
    c: Tensor


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
            they make of x; if not, only with respect to a, r, b and c.

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
        x, action, reward, starts, w1, w2, b, *first, a1, a2, eta, c = inputs[:14]
        ctx.value, ctx.second_order = inputs[14:]
        steps, (hidden, _, n) = len(action), w1.shape
        h, z = x.new_ones(steps + 1, hidden + 1, n), x.new_empty(steps + 1, *action.shape[1:])
        d2, q = torch.empty_like(action), x.new_empty(steps, hidden, n)
        w1s, w2s, bs = (each.new_empty(steps + 1, *each.shape) for each in (w1, w2, b))
        w1s[0], w2s[0], bs[0] = w1, w2, b
        scratch, began = (torch.empty_like(w1), torch.empty_like(w2)), set(start_steps(starts))
        taken = action.sum(1)
        activities, thetas = views(x, h, h[:, :-1], z), views(w1s, w2s, w2s[:, :, :-1], bs)
        given = views(action, reward, taken, eta * taken, c * taken)
        found = views(d2, d2.unsqueeze(2), q)
        _read_out(activities[0], w1, w2, scratch)
        for t, (a, r, v, pace, spread) in enumerate(given):
            d2_t, d2_row, q_t = found[t]
            (x_t, h_t, hidden_t, z_t), (w1, w2, w2_hidden, b) = activities[t], thetas[t]
            new = thetas[t + 1]
            if ctx.value:
                torch.mul(a, (a * z_t).sum(0) - v * r, out=d2_t)
                new[3].copy_(b)
            else:
                p = torch.softmax(z_t, 0)
                torch.mul(p, v, out=d2_t).sub_(a).mul_(r - b).addcmul_(_flatten(p, 0), spread)
                torch.lerp(b, r, pace, out=new[3])
            torch.mul(h_t, d2_row, out=scratch[1])
            torch.addcmul(w2, scratch[1], a2, value=-1, out=new[1])
            if a1 is None:
                new[0].copy_(w1)
            else:
                torch.sum(torch.mul(w2_hidden, d2_row, out=scratch[1][:, :-1]), 0, out=q_t)
                d1 = _tanh_backward(q_t, hidden_t)
                torch.mul(x_t, d1[:, None], out=scratch[0])
                torch.addcmul(w1, scratch[0], a1, value=-1, out=new[0])
            if t in began:
                for each, initial in zip((*new[:2], new[3]), first, strict=True):
                    each.copy_(torch.where(starts[t] > 0, initial, each))
            _read_out(activities[t + 1], new[0], new[1], scratch)
        ctx.began = began
        ctx.save_for_backward(x, action, reward, starts, a1, a2, eta, c, h, z, d2, q, w1s, w2s, bs)
        return z[1:], h[1:, :-1], w1s[-1].clone(), w2s[-1].clone(), bs[-1].clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        back = _Backward(ctx, *grads)
        for t in reversed(range(len(back.action))):
            back.read_out(t + 1, *(grad[t] for grad in grads[:2]))
            back.restart(t)
            back.update(t)
            back.loss(t)
        back.read_out(0)
        return (*back.given(), *back.theta, *back.first(), *back.rates(), None, None)


_inner_loop: Any = _InnerLoop.apply
_tanh_backward: Any = torch.ops.aten.tanh_backward


class _Backward:
    """The steps of :class:`_InnerLoop` in reverse; names as there, with a d for gradients.

    Attributes:
        theta: gradients at theta as the steps not yet gone through leave it.
        firsts: at the initial theta, by episode.
        dz, dh: at the outputs of the step before, [K, N] and [H, N].
        dd2, dbs: at d2 and at the new baseline of every step, [T, K, N] and [T, N].
    """

    def __init__(self, ctx: Any, *grads: Tensor) -> None:
        x, action, reward, starts, a1, a2, eta, c, h, z, d2, q, w1s, w2s, bs = ctx.saved_tensors
        self.ctx, self.x, self.action, self.reward, self.starts = ctx, x, action, reward, starts
        self.a1, self.a2, self.eta, self.c = a1, a2, eta, c
        self.z, self.w1s, self.bs = z[:-1], w1s, bs[:-1]
        self.theta = [grad.clone() for grad in grads[2:]]
        self.firsts = [torch.zeros_like(grad) for grad in self.theta]
        self.da1, self.da2 = (torch.zeros_like(grad) for grad in self.theta[:2])
        self.dz, self.dh = torch.zeros_like(z[0]), torch.zeros_like(h[0, :-1])
        self.dd2, self.dbs, self.dx = (torch.zeros_like(each) for each in (d2, reward, x))
        self.du, self.taken = torch.empty_like(h[:, :-1]), action.sum(1)
        self.p = torch.softmax(self.z, 1)
        self.flat = _flatten(self.p, 1)
        self.pull = action if ctx.value else self.p * self.taken[:, None] - action
        self.scratch = torch.empty_like(w2s[0])
        self.narrow = self.scratch[:, :-1]
        self.activities = views(x, h, h[:, :-1], w2s[:, :, :-1])
        self.found = views(d2.unsqueeze(2), q, _tanh_backward(q, h[:-1, :-1]))
        push = self.taken * (reward - self.bs)
        spread = c * self.taken
        losses = (self.dd2, self.pull, push, self.p, eta * self.taken, self.flat, spread)
        self.losses = views(*losses)

    def read_out(self, t: int, *grads: Tensor) -> None:
        """Through the outputs of step t; ``grads`` [K, N] and [H, N] come from outside."""
        x, h, hidden, w2 = self.activities[t]
        for grad, outer in zip((self.dz, self.dh), grads, strict=False):
            grad += outer
        self.dh += torch.mul(w2, self.dz[:, None], out=self.narrow).sum(0)
        self.du[t] = du = _tanh_backward(self.dh, hidden)
        self.theta[0].addcmul_(x, du[:, None])
        self.theta[1].addcmul_(h, self.dz[:, None])

    def restart(self, t: int) -> None:
        """Where an episode starts, theta is the initial one."""
        if t in self.ctx.began:
            for grad, first in zip(self.theta, self.firsts, strict=True):
                first += grad * self.starts[t]
                grad *= keep(self.starts[t])

    def update(self, t: int) -> None:
        """Through the step of theta, down to d2 and, of second order, what else it is made of."""
        (x, h, hidden, w2), (d2, q, d1) = self.activities[t], self.found[t]
        dw1, dw2, _ = self.theta
        dd2 = self.dd2[t]
        torch.mul(dw2, h, out=self.scratch)
        self.da2.addcmul_(self.scratch, d2, value=-1)
        torch.sum(self.scratch.mul_(self.a2), 1, out=dd2).neg_()
        torch.mul(dw2, self.a2, out=self.scratch)
        torch.sum(self.narrow.mul_(d2), 0, out=self.dh).neg_()
        if self.a1 is None:
            return
        along = dw1 * x
        self.da1.addcmul_(along, d1[:, None], value=-1)
        dd1 = along.mul_(self.a1).sum(1).neg_()
        dq = _tanh_backward(dd1, hidden)
        dd2 += torch.mul(w2, dq, out=self.narrow).sum(1)
        if self.ctx.second_order:
            self.dh.addcmul_(dd1.mul_(q), hidden, value=-2)
            dw2[:, :-1].addcmul_(dq, d2)
            self.dx[t] -= (dw1 * self.a1 * d1[:, None]).sum(0)

    def loss(self, t: int) -> None:
        """Through d2 and the baseline's step."""
        dd2, pull, push, p, pace, flat, spread = self.losses[t]
        db = self.theta[2]
        self.dbs[t] = db
        if self.ctx.value:
            torch.mul(pull, (pull * dd2).sum(0), out=self.dz)
        else:
            db -= torch.addcmul((dd2 * pull).sum(0), db, pace)
            above = dd2 - (p * dd2).sum(0)
            self.dz = push * p * above
            by_entropy = (flat * above).addcmul_(p, above - (flat * dd2).sum(0))
            self.dz.addcmul_(by_entropy, spread)
        if not self.ctx.second_order:
            self.dz.zero_()
            self.dh.zero_()

    def given(self) -> tuple[Tensor | None, ...]:
        """Gradients at :class:`Episodes`; through h and z to x, else through the losses."""
        dx = self.dx + torch.einsum("thin,thn->tin", self.w1s, self.du)
        along = (self.dd2 * self.pull).sum(1)
        if self.ctx.value:
            error = (self.action * self.z).sum(1) - self.taken * self.reward
            by_action = self.dd2 * error[:, None] + (self.z - self.reward[:, None]) * along[:, None]
            return dx, by_action, -self.taken * along, None
        mean = (self.p * self.dd2).sum(1, keepdim=True)
        by_action = (mean - self.dd2 + (self.dbs * self.eta)[:, None]) * (self.reward - self.bs)[
            :, None
        ]
        by_action += self.c * (self.flat * self.dd2).sum(1, keepdim=True)
        return dx, by_action, along + self.dbs * self.eta * self.taken, None

    def first(self) -> list[Tensor]:
        """At the initial theta, [..., 1]."""
        return [first.sum(-1, keepdim=True) for first in self.firsts]

    def rates(self) -> tuple[Tensor | None, ...]:
        """At :class:`Rates`."""
        zero = torch.zeros_like(self.eta)
        deta = (self.dbs * self.taken * (self.reward - self.bs)).sum()
        dc = (self.flat * self.dd2 * self.taken[:, None]).sum()
        da1, da2 = (each.sum(-1, keepdim=True) for each in (self.da1, self.da2))
        of_loss = (zero, zero) if self.ctx.value else (deta, dc)
        return None if self.a1 is None else da1, da2, *of_loss


def _flatten(p: Tensor, dim: int) -> Tensor:
    """Gradient of sum p log p over ``dim`` at the logits of p."""
    info = p.clamp_min(torch.finfo(p.dtype).tiny).log()
    return p * (info - (p * info).sum(dim, keepdim=True))


def _read_out(to: Any, layer1: Tensor, layer2: Tensor, scratch: Sequence[Tensor]) -> None:
    """Of x [I, N] into h [H + 1, N], by its part [H, N], and z [K, N]; ``to`` are these four."""
    x, h, hidden, z = to
    torch.sum(torch.mul(layer1, x, out=scratch[0]), 1, out=hidden).tanh_()
    torch.sum(torch.mul(layer2, h, out=scratch[1]), 1, out=z)
