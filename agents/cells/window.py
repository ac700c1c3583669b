"""A multilayer perceptron over the inputs of the last few steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from metalocus.agents.cells.base import Carry, Cell, Trainable, init_inputs_
from metalocus.agents.cells.mlp import MLP

EMBEDDED = 16
"""Units that embed each step's input: enough for products of a few actions and rewards."""


class Window(Cell):
    """Two tanh layers applied to what happened in the last ``window`` steps of the episode.

    Each step's input is embedded by the same few tanh units; steps before the episode's
    start are zeros. Before training the first layer's weights fall off with a step's age, at a
    rate of 0 to 20% a step drawn for each unit, so that units begin as leaky counts. Carries
    ``window`` [N, W - 1, I], the inputs before this one, oldest first (context).
    """

    name: ClassVar[str] = "window"
    carried: ClassVar[Mapping[str, str]] = {"window": "context"}

    def __init__(self, input_size: int, hidden_size: int = 64, window: int = 16) -> None:
        super().__init__()
        self.input_size, self.window = input_size, window
        self.embed = nn.Linear(input_size, EMBEDDED, bias=False)  # zeros stay zeros
        init_inputs_(self.embed.weight)
        self.mlp = MLP(EMBEDDED * window, hidden_size)
        weight = next(self.mlp.parameters()).data.view(hidden_size, EMBEDDED, window)
        left = 1 - 0.2 * torch.rand(hidden_size, 1, 1)
        newest = torch.empty(hidden_size, EMBEDDED, 1).uniform_(-1, 1) / EMBEDDED**0.5
        weight.copy_(newest * left ** torch.arange(window - 1, -1, -1))
        self.output_size = hidden_size

    def initial(self, n: int) -> Carry:
        """No inputs before the first, zeros [N, W - 1, I]."""
        like = next(self.parameters())
        return {"window": like.new_zeros(n, self.window - 1, self.input_size)}

    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, I] -> [T, N, H]."""
        inputs = torch.cat([carry["window"].transpose(0, 1), x])
        episode = torch.cat([starts.new_zeros(self.window - 1, len(starts[0])), starts.cumsum(0)])
        embedded = torch.tanh(self.embed(inputs))
        windows, episodes = (a.unfold(0, self.window, 1) for a in (embedded, episode))
        same = (episodes == episodes[..., -1:]).to(x)
        y, _ = self.mlp((windows * same[:, :, None]).flatten(2), starts, {})
        after = inputs[len(x) :] * (episode[len(x) :] == episode[-1]).to(x)[..., None]
        return y, {"window": after.transpose(0, 1)}


AGENTS = (
    Trainable("window", "feedforward over the last 16 steps: their inputs are its memory", Window),
)
