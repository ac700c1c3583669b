"""A multilayer perceptron: no memory, so what it knows of the episode is what it is shown."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from metalocus.agents.cells.base import Carry, Cell, Trainable, init_inputs_


class MLP(Cell):
    """Two tanh layers applied to each step alone, with large input weights; carries nothing."""

    name: ClassVar[str] = "mlp"

    def __init__(self, input_size: int, hidden_size: int = 64, n_layers: int = 2) -> None:
        super().__init__()
        sizes = [input_size] + [hidden_size] * n_layers
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.Tanh())]
        self.layers = nn.Sequential(*layers)
        init_inputs_(next(self.layers.parameters()))
        self.output_size = hidden_size

    def initial(self, n: int) -> Carry:
        """An empty carry: there is no memory."""
        return {}

    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, I] -> [T, N, H]."""
        y: Tensor = self.layers(x)
        return y, {}


AGENTS = (
    Trainable(
        "mlp",
        "feedforward, sees only the stimulus: no memory at all",
        MLP,
        sees=("stimulus",),
        rollout=3_200,  # a small batch is cheap here: many small steps beat few large ones
    ),
    Trainable(
        "mlp_feedback",
        "feedforward, sees the last action and reward: one-step memory",
        MLP,
        rollout=6_400,
    ),
)
