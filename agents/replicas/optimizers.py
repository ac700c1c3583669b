"""Steps of descent for rows of weights [N, P], each row with a learning rate of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

MEAN, SQUARE = 0.9, 0.999
"""Decay of Adam's running means, the defaults of Kingma & Ba 2015."""
RMS = 0.99
"""Decay of RMSprop's running mean, PyTorch's default and that of Mnih et al. 2016."""
TINY = 1e-5
"""Added to root mean squares: Stable-Baselines3's, for PPO and for A2C."""


@dataclass(frozen=True)
class Optimizer:
    """A rule of descent.

    Attributes:
        moments: names of what it keeps of the gradients, [N, P] each, 0 at first.
        step: from gradients [N, P], moments by name, the numbers of updates with this one [N, 1],
            and rates [N, 1]: what is taken off the weights [N, P], and the new moments.
    """

    moments: tuple[str, ...]
    step: Callable[
        [Tensor, Mapping[str, Tensor], Tensor, Tensor], tuple[Tensor, Mapping[str, Tensor]]
    ]


def sgd(
    gradient: Tensor, moments: Mapping[str, Tensor], count: Tensor, rate: Tensor
) -> tuple[Tensor, Mapping[str, Tensor]]:
    """Plain gradient descent."""
    return rate * gradient, {}


def rmsprop(
    gradient: Tensor, moments: Mapping[str, Tensor], count: Tensor, rate: Tensor
) -> tuple[Tensor, Mapping[str, Tensor]]:
    """The gradient over its root mean square (Tieleman & Hinton 2012), as PyTorch has it."""
    square = (moments["square"] * RMS).addcmul_(gradient, gradient, value=1 - RMS)
    return (rate * gradient).div_(square.sqrt().add_(TINY)), {"square": square}


def adam(
    gradient: Tensor, moments: Mapping[str, Tensor], count: Tensor, rate: Tensor
) -> tuple[Tensor, Mapping[str, Tensor]]:
    """Kingma & Ba 2015, "Adam: a method for stochastic optimization", algorithm 1."""
    mean = moments["mean"].lerp(gradient, 1 - MEAN)
    square = (moments["square"] * SQUARE).addcmul_(gradient, gradient, value=1 - SQUARE)
    spread = square.sqrt().mul_((1 - torch.pow(SQUARE, count)).rsqrt()).add_(TINY)
    return (mean * (rate / (1 - torch.pow(MEAN, count)))).div_(spread), {
        "mean": mean,
        "square": square,
    }


OPTIMIZERS: Mapping[str, Optimizer] = {
    "adam": Optimizer(("mean", "square"), adam),
    "rmsprop": Optimizer(("square",), rmsprop),
    "sgd": Optimizer((), sgd),
}
"""By name; each equals PyTorch's."""


def clip(gradient: Tensor, most: float) -> Tensor:
    """Gradients [N, P], each row at most so long, as PyTorch's ``clip_grad_norm_``."""
    norm = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
    return torch.mul(gradient, (most / (norm + 1e-6)).clamp(max=1.0))
