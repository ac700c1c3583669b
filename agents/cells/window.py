"""A multilayer perceptron over the inputs of the last few steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from metalocus.agents.cell import Carry, Cell, Trainable
from metalocus.agents.cells.mlp import MLP


class Window(Cell):
    """Two tanh layers applied to the inputs of the last ``window`` steps of the episode.

    Steps before its start are zeros. Carries ``window`` [N, W - 1, I], the inputs before
    this one, oldest first (context).
    """

    name: ClassVar[str] = "window"
    carried: ClassVar[Mapping[str, str]] = {"window": "context"}

    def __init__(self, input_size: int, hidden_size: int = 64, window: int = 16) -> None:
        super().__init__()
        self.input_size, self.window = input_size, window
        self.mlp = MLP(window * input_size, hidden_size)
        self.output_size = hidden_size

    def initial(self, n: int) -> Carry:
        """Zeros."""
        like = next(self.parameters())
        return {"window": like.new_zeros(n, self.window - 1, self.input_size)}

    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, I] -> [T, N, H]."""
        inputs = torch.cat([carry["window"].transpose(0, 1), x])
        episode = torch.cat([starts.new_zeros(self.window - 1, len(starts[0])), starts.cumsum(0)])
        windows, episodes = (a.unfold(0, self.window, 1) for a in (inputs, episode))
        same = (episodes == episodes[..., -1:]).to(x)
        y, _ = self.mlp((windows * same[:, :, None]).flatten(2), starts, {})
        after = inputs[len(x) :] * (episode[len(x) :] == episode[-1]).to(x)[..., None]
        return y, {"window": after.transpose(0, 1)}


AGENTS = (
    Trainable(
        "window", "feedforward over the last 16 inputs: the history itself is its memory", Window
    ),
)
