"""The inner loop of gradient-based meta-learning: a small network, one gradient step a transition.

A network of one tanh layer holds, for each episode, weights W1 [H, I] and W2 [K, H + 1] (biases
are the last columns: x and [h, 1] end in a 1):

    h = tanh(W1 x),   z = W2 [h, 1]

After a transition (x, a, r) one of two losses is followed downhill, elementwise step sizes A:

    policy_gradient   -(r - b) log p[a] + c sum p log p,  p = softmax(z),  b' = b + eta (r - b)
    value             (z[a] - r)^2 / 2

    d2 = dL/dz,  d1 = (1 - h^2) W2^T d2,   W2' = W2 - A2 d2 [h, 1]^T,   W1' = W1 - A1 d1 x^T

(Williams 1992, with the entropy term of Williams & Peng 1991; Widrow & Hoff 1960.)

The step is an explicit formula of differentiable operations, so autograd's backward pass gives the
meta-gradient through all the steps, of second order (Finn et al. 2017, "Model-agnostic
meta-learning for fast adaptation of deep networks") or, with the inner gradient taken for constant
in W1 and W2, of first order.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from metalocus.agents.cells.base import start_steps, views

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


class _Activities(NamedTuple):
    """Of one step: inputs x [I, N], hidden units h [H, N] and [h, 1] [H + 1, N], z [K, N]."""

    x: Tensor
    h: Tensor
    h_and_1: Tensor
    z: Tensor


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
    began = set(start_steps(given.starts))
    taken = given.action.sum(1)  # 1 where there is a transition to learn from
    steps = views(given.x[1:], given.action, given.reward, taken, given.starts)
    read = _read_out(theta, given.x[0])
    outputs = []
    for t, (x, action, reward, taken_t, starts) in enumerate(steps):
        if not second_order:
            read = _Activities(*(each.detach() for each in read))
        if loss == "value":
            d2, baseline = action * ((action * read.z).sum(0) - taken_t * reward), theta.baseline
        else:
            d2 = _policy_gradient(read.z, action, reward - theta.baseline, taken_t, rates.c)
            baseline = torch.lerp(theta.baseline, reward, rates.eta * taken_t)
        theta = Theta(*_descended(theta, read, d2, rates, second_order), baseline)
        if t in began:
            pairs = zip(first, theta, strict=True)
            theta = Theta(*(torch.where(starts > 0, initial, own) for initial, own in pairs))
        read = _read_out(theta, x)
        outputs.append((read.z, read.h))
    z, h = zip(*outputs, strict=True)
    return torch.stack(z), torch.stack(h), theta


def _read_out(theta: Theta, x: Tensor) -> _Activities:
    """Of inputs x [I, N]."""
    h = torch.tanh((theta.layer1 * x).sum(1))
    h_and_1 = torch.cat([h, torch.ones_like(h[:1])])
    return _Activities(x, h, h_and_1, (theta.layer2 * h_and_1).sum(1))


def _policy_gradient(
    z: Tensor, action: Tensor, advantage: Tensor, taken: Tensor, c: Tensor
) -> Tensor:
    """dL/dz of logits z [K, N], zeros where there is no action."""
    log_p = torch.log_softmax(z, 0)
    p = log_p.exp()
    by_entropy = p * (log_p - (p * log_p).sum(0))
    return torch.addcmul((p * taken - action) * advantage, by_entropy, c * taken)


def _descended(
    theta: Theta, read: _Activities, d2: Tensor, rates: Rates, second_order: bool
) -> tuple[Tensor, Tensor]:
    """Both layers after the step, from dL/dz [K, N]."""
    layer1, layer2, d2 = theta.layer1, theta.layer2, d2[:, None]
    if rates.a1 is not None:
        w2 = layer2 if second_order else layer2.detach()
        d1 = (1 - read.h * read.h) * (w2[:, :-1] * d2).sum(0)
        layer1 = torch.addcmul(layer1, rates.a1, d1[:, None] * read.x, value=-1)
    return layer1, torch.addcmul(layer2, rates.a2, d2 * read.h_and_1, value=-1)
