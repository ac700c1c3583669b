"""Gradient steps as the recurrence: a memoryless policy that is trained inside the episode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metalocus.agents.cell import Carry, Cell, Trainable, keep, widen_
from metalocus.agents.inner import LOSSES, Episodes, Rates, Theta, inner_loop
from metalocus.envs import InvalidTask, Layout

STEP_SIZES, ADAPTS = ("one", "layer", "parameter"), ("all", "head")
THETA = ("layer1", "layer2", "baseline")
SPEED = 4.0
"""Logarithms of step sizes are stored divided by it, so that Adam moves them that much faster."""


class GradientStep(Cell):
    name: ClassVar[str] = "gradient_step"
    carried: ClassVar[Mapping[str, str]] = {
        "layer1": "weights",
        "layer2": "weights",
        "baseline": "weights",
        "stimulus": "context",
    }
    acts = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 32,
        n_actions: int | None = None,
        reward_range: tuple[float, float] = (0.0, 1.0),
        loss: str = "policy_gradient",
        step_sizes: str = "parameter",
        adapts: str = "all",
        second_order: bool = True,
        first_step: float | None = None,
        temperature: float = 0.1,
        detach: str = "none",
        eta0: float = -3.0,
    ) -> None:
        super().__init__()
        self.n_actions = input_size - 1 if n_actions is None else n_actions
        self.stimulus_size = input_size - self.n_actions - 1
        self.loss, self.second_order, self.detach = loss, second_order, detach
        self.low, self.span = reward_range[0], reward_range[1] - reward_range[0]
        i, h, k = self.stimulus_size + 1, hidden_size, self.n_actions
        self.layer1 = nn.Parameter(torch.empty(h, i).uniform_(-1.0, 1.0))
        self.layer2 = nn.Parameter(torch.empty(k, h + 1).uniform_(-0.1, 0.1) / h**0.5)
        self.baseline = nn.Parameter(torch.full((1,), 0.5))
        if loss == "value":
            with torch.no_grad():
                self.layer2[:, -1] += 0.5
        if first_step is None:
            first_step = 1.0 if loss == "policy_gradient" else 0.2
        first = torch.tensor(first_step / (1 + 0.3 * h)).log() / SPEED
        shapes = {"one": [()], "layer": [(), ()], "parameter": [(h, i), (k, h + 1)]}[step_sizes]
        self.log_steps = nn.ParameterList(nn.Parameter(first.expand(s).clone()) for s in shapes)
        self.eta = nn.Parameter(torch.tensor(eta0 / SPEED))
        self.log_temperature = nn.Parameter(torch.tensor(temperature).log() / SPEED)
        self.adapts = adapts
        self.output_size = k + h

    def initial(self, n: int) -> Carry:
        return {
            "layer1": self.layer1.repeat(n, 1, 1),
            "layer2": self.layer2.repeat(n, 1, 1),
            "baseline": self.baseline.repeat(n),
            "stimulus": self.layer1.new_zeros(n, self.stimulus_size),
        }

    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        stimulus, action, reward = x.split([self.stimulus_size, self.n_actions, 1], dim=-1)
        seen = F.pad(torch.cat([carry["stimulus"][None], stimulus]), (0, 1), value=1.0)
        action = action * keep(starts)[..., None]
        given = Episodes(
            seen.mT.contiguous(), action.mT.contiguous(), (reward[..., 0] - self.low) / self.span, starts
        )
        theta = Theta(*(carry[name].movedim(0, -1) for name in THETA))
        first = Theta(self.layer1[..., None], self.layer2[..., None], self.baseline)
        z, h, theta = inner_loop(given, theta, first, self.rates(), self.loss, self.second_order)
        if self.loss == "value":
            z = z * torch.exp(-SPEED * self.log_temperature)
        if self.detach != "none":
            h = h.detach()
        after = {name: part.movedim(-1, 0) for name, part in zip(THETA, theta, strict=True)}
        return torch.cat([z, h], dim=1).mT, {**after, "stimulus": stimulus[-1]}

    def rates(self) -> Rates:
        a = [(SPEED * s).exp() for s in self.log_steps]
        a1, a2 = (s.expand(w.shape)[..., None] for s, w in ((a[0], self.layer1), (a[-1], self.layer2)))
        return Rates(None if self.adapts == "head" else a1, a2, torch.sigmoid(SPEED * self.eta))


def from_layout(layout: Layout) -> dict[str, Any]:
    return {"n_actions": layout.family.n_arms, "reward_range": list(layout.family.reward_range)}


_SEES = ("stimulus", "action", "reward")
AGENTS = (
    Trainable("maml", "x", GradientStep, sees=_SEES, from_layout=from_layout),
    Trainable("maml_value", "x", GradientStep, sees=_SEES, from_layout=from_layout, cell_kwargs={"loss": "value"}),
)
