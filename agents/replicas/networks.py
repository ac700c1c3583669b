"""Networks of one shape with weights of their own, run together: one row, one network.

The cells of ``agents/cells`` share their weights over the rows. Here every row has its own, so
that each layer is a batch of small products. ``torch.func.vmap`` over the cells themselves has no
rule for PyTorch's LSTM kernel nor for cells with a backward pass of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from metalocus.agents.cells.base import CELLS, TRAINABLES, Carry, Cell
from metalocus.agents.cells.rnn import PACE
from metalocus.envs import InvalidTask, Layout

Kept = Sequence[Tensor | None]
"""For each step the factor [N, 1] on what is carried in, None where no episode starts."""
FIRST_LOGITS = 0.01
"""Gain of the actor's weights before training, SB3's: all actions are almost equally likely."""


def mlp(weights: Sequence[Tensor], x: Tensor, kept: Kept, carry: Carry) -> tuple[Tensor, Carry]:
    """Tanh layers of weights [N, H, I] and biases [N, H], x [N, T, I] -> [N, T, H]."""
    for weight, bias in zip(weights[::2], weights[1::2], strict=True):
        x = torch.tanh(linear(x, weight, bias))
    return x, {}


def rnn(weights: Sequence[Tensor], x: Tensor, kept: Kept, carry: Carry) -> tuple[Tensor, Carry]:
    """As ``agents/cells/rnn.py``, x [N, T, I] -> [N, T, H]."""
    w_x, w_h, b_x, b_h = weights
    inputs, recurrent = linear(x, w_x, b_x + b_h), PACE * w_h.mT
    h, y = carry["h"][:, None], []
    for x_t, factor in zip(_steps(inputs), kept, strict=True):
        h = torch.tanh(torch.baddbmm(x_t, _kept(h, factor), recurrent))
        y.append(h)
    return torch.cat(y, dim=1), {"h": h[:, 0]}


def gru(weights: Sequence[Tensor], x: Tensor, kept: Kept, carry: Carry) -> tuple[Tensor, Carry]:
    """As ``agents/cells/gru.py``, gates in rows r, z, n, x [N, T, I] -> [N, T, H]."""
    w_x, w_h, b_x, b_h = weights
    inputs, recurrent, size = linear(x, w_x, b_x), w_h.mT, w_h.shape[2]
    h, y = carry["h"][:, None], []
    for x_t, factor in zip(_steps(inputs), kept, strict=True):
        h = _kept(h, factor)
        u = torch.baddbmm(b_h[:, None], h, recurrent)
        r, z = torch.sigmoid(x_t[..., : 2 * size] + u[..., : 2 * size]).chunk(2, dim=2)
        n = torch.tanh(torch.addcmul(x_t[..., 2 * size :], r, u[..., 2 * size :]))
        h = torch.lerp(n, h, z)
        y.append(h)
    return torch.cat(y, dim=1), {"h": h[:, 0]}


def lstm(weights: Sequence[Tensor], x: Tensor, kept: Kept, carry: Carry) -> tuple[Tensor, Carry]:
    """As ``agents/cells/lstm.py``, layer after layer, x [N, T, I] -> [N, T, H]."""
    h_last, c_last = [], []
    for depth in range(len(weights) // 4):
        before = carry["h"][:, depth, None], carry["c"][:, depth, None]
        x, h, c = _lstm_layer(weights[4 * depth : 4 * depth + 4], x, kept, *before)
        h_last.append(h)
        c_last.append(c)
    return x, {"h": torch.cat(h_last, dim=1), "c": torch.cat(c_last, dim=1)}


def _lstm_layer(
    weights: Sequence[Tensor], x: Tensor, kept: Kept, h: Tensor, c: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gates in rows i, f, g, o; h and c [N, 1, H] before and after."""
    w_x, w_h, b_x, b_h = weights
    inputs, recurrent, y = linear(x, w_x, b_x + b_h), w_h.mT, []
    for x_t, factor in zip(_steps(inputs), kept, strict=True):
        h, c = _kept(h, factor), _kept(c, factor)
        i, f, g, o = torch.baddbmm(x_t, h, recurrent).chunk(4, dim=2)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        y.append(h)
    return torch.cat(y, dim=1), h, c


Form = Callable[[Sequence[Tensor], Tensor, Kept, Carry], tuple[Tensor, Carry]]
FORMS: Mapping[str, Form] = {"mlp": mlp, "rnn": rnn, "gru": gru, "lstm": lstm}
"""The batched form of a cell, by the cell's name; each equals its cell."""


class Networks:
    """Actor and critic of one cell: linear read-outs of its features, all weights in rows [N, P].

    Args:
        agent: name of a trainable agent whose cell is in :data:`FORMS`.
        layout: of the observations.
        **arguments: of the cell.

    Raises:
        InvalidTask: there is no batched form of the agent's cell.

    Attributes:
        carried: store of each tensor that is carried, by name.
        size: numbers in a row, P.
    """

    def __init__(self, agent: str, layout: Layout, **arguments: Any) -> None:
        told = TRAINABLES.find(agent).arguments(layout)
        self.cell, self.inputs = told["cell"], told["inputs"]
        self.arguments, self.n_actions = {**told["cell_kwargs"], **arguments}, layout.family.n_arms
        if self.cell not in FORMS:
            able = [name for name, each in TRAINABLES.items() if each.cell.name in FORMS]
            raise InvalidTask(f"{agent} cannot be trained online; choose from {', '.join(able)}")
        self.n_inputs = max(len(self.inputs), 1)
        self.form, example = FORMS[self.cell], self._modules()
        self._initial, self.carried = example[0].initial, example[0].carried
        self.shapes = [parameter.shape for parameter in _parameters(example)]
        self.sizes = [shape.numel() for shape in self.shapes]
        self.size = sum(self.sizes)

    def _modules(self) -> tuple[Cell, nn.Linear, nn.Linear]:
        """Cell, actor and critic of one network, before training."""
        cell: Cell = CELLS[self.cell](self.n_inputs, **self.arguments)
        actor, critic = (nn.Linear(cell.output_size, n) for n in (self.n_actions, 1))
        for head, gain in ((actor, FIRST_LOGITS), (critic, 1.0)):
            nn.init.orthogonal_(head.weight, gain)
            nn.init.zeros_(head.bias)
        return cell, actor, critic

    def initial(self, n: int, seed: int) -> Tensor:
        """Weights before training of n networks, [n, P]; row i is the same for any n."""
        rows = []
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            for i in range(n):
                torch.manual_seed(_row_seed(seed, i))
                rows.append(nn.utils.parameters_to_vector(_parameters(self._modules())))
        return torch.stack(rows)

    def carry(self, n: int) -> Carry:
        """What is carried into the first step of n episodes, [N, ...] each."""
        return self._initial(n)

    def inputs_of(self, obs: Tensor) -> Tensor:
        """The part of observations [N, D] that the networks see, [N, I]; 1 if they see nothing."""
        return obs[:, self.inputs] if self.inputs else torch.ones_like(obs[:, :1])

    def features(
        self, parts: Sequence[Tensor], x: Tensor, starts: Tensor | None, carry: Carry
    ) -> tuple[Tensor, Carry]:
        """Run T steps at once.

        Args:
            parts: weights as :meth:`unpack` gives them.
            x: inputs [N, T, I].
            starts: whether a step is the first of its episode, [N, T]; None where none is.
            carry: from the step before, [N, ...] each.

        Returns:
            features [N, T, H], and what to carry on.
        """
        kept: list[Tensor | None] = [None] * x.shape[1]
        if starts is not None:
            some = starts.any(dim=0).tolist()
            stay = (~starts).to(x.dtype)
            kept = [stay[:, t : t + 1] if any_start else None for t, any_start in enumerate(some)]
        return self.form(parts[:-4], x, kept, carry)

    def logits(self, parts: Sequence[Tensor], features: Tensor) -> Tensor:
        """Of the actions, [N, T, H] -> [N, T, K]."""
        weight, bias = parts[-4:-2]
        return linear(features, weight, bias)

    def values(self, parts: Sequence[Tensor], features: Tensor) -> Tensor:
        """Of the states, [N, T, H] -> [N, T]."""
        weight, bias = parts[-2:]
        return linear(features, weight, bias)[..., 0]

    def unpack(self, weights: Tensor) -> list[Tensor]:
        """Rows [N, P] as the tensors that they are made of, [N, ...] each; nothing is copied."""
        parts = weights.split_with_sizes(self.sizes, dim=1)
        return [part.view(-1, *shape) for part, shape in zip(parts, self.shapes, strict=True)]


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A linear layer of each row's own: x [N, T, I], weight [N, O, I], bias [N, O]."""
    return torch.baddbmm(bias[:, None], x, weight.mT)


def _steps(x: Tensor) -> tuple[Tensor, ...]:
    """Every step of x [N, T, H], as [N, 1, H]."""
    return x.split_with_sizes([1] * x.shape[1], dim=1)


def _kept(carried: Tensor, factor: Tensor | None) -> Tensor:
    """What is carried in, [N, 1, H], put back to 0 where an episode starts."""
    return carried if factor is None else carried * factor[:, None]


def _parameters(modules: Sequence[nn.Module]) -> list[nn.Parameter]:
    return [parameter for module in modules for parameter in module.parameters()]


def _row_seed(seed: int, row: int) -> int:
    """Seed of one row's weights; no two rows of two runs share one."""
    return seed * 2**20 + row
