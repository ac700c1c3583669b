"""Gradient steps as the recurrence: a memoryless policy that is trained inside the episode.

The policy is a network with one hidden layer over the stimulus alone; the action and the reward
of the trial before reach it only by the gradient step that they cause in its weights
(:mod:`metalocus.agents.cells._inner_loop`). What the outer loop trains is where the weights begin
and how far each step goes, through the steps themselves: Finn et al. 2017 (MAML), with a step after
every transition instead of one after a batch of them, and learned step sizes of Li et al. 2017
(Meta-SGD).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metalocus.agents.cells._inner_loop import Rates, Theta, Transitions, inner_loop
from metalocus.agents.cells._inputs import sizes_of_inputs
from metalocus.agents.cells.base import Carry, Cell, Trainable, init_inputs_, keep
from metalocus.envs import InvalidTask, Layout

ADAPTS = ("all", "head")
SPEED = 4.0
"""Factor on parameters that are logarithms: the optimizer's steps, of one size for all parameters,
would change them too slowly."""
FIRST_RATE = 1.0
"""Policy gradient before training: change of a logit per unit of gradient there."""
FIRST_PACE = 0.05
"""Step size of the baseline before training: about the mean of the last twenty rewards."""
FIRST_BASELINE = 0.8
"""Baseline before training. Above the mean reward it makes for exploration, since most choices then
become less probable."""
FIRST_ENTROPY = 0.06
"""Weight of the entropy before training. Without it an action's probability goes to 1, the gradient
vanishes, and the policy no longer follows a change of the rewards."""
FIRST_VALUE_RATE = 0.2
"""Value regression before training: share of the error that a step takes away."""
FIRST_VALUE = 0.5
"""Value of every action before training: the middle of the reward's range."""
FIRST_TEMPERATURE = 0.05
"""Temperature of the choice between values before training."""
SEES = ("stimulus", "action", "reward")


class GradientStep(Cell):
    """A softmax policy that ascends (reward - baseline) log pi(action) after each transition.

    Its own logits are the action distribution, and the first features; the hidden layer follows
    for the critic. Carries ``layer1`` [N, H, S + 1], ``layer2`` [N, K, H + 1] and the running
    ``baseline`` [N] (weights), and ``stimulus`` [N, S + 1] of the transition that is learned from
    next, with a 1 behind it unless there was none (context). Rewards are taken as fractions of
    their range.

    Args:
        input_size: S + K + 1: stimulus [S], previous action one-hot [K], all zero where there
            is none, and previous reward.
        hidden_size: H.
        n_actions: K; by default there is no stimulus.
        reward_range: least and greatest reward.
        adapts: ``all`` layers or the ``head``, the second one, alone (Raghu et al. 2019, ANIL).
        second_order: differentiate through the inner gradient; if not, its dependence on the
            adapted weights is taken for constant.

    Raises:
        InvalidTask: ``adapts`` is neither, or the sizes do not add up.
    """

    name: ClassVar[str] = "gradient_step"
    carried: ClassVar[Mapping[str, str]] = {
        "layer1": "weights",
        "layer2": "weights",
        "baseline": "weights",
        "stimulus": "context",
    }
    loss: ClassVar[str] = "policy_gradient"
    first_rate: ClassVar[float] = FIRST_RATE

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 32,
        n_actions: int | None = None,
        reward_range: tuple[float, float] = (0.0, 1.0),
        adapts: str = "all",
        second_order: bool = True,
    ) -> None:
        super().__init__()
        self.sizes = sizes_of_inputs(self.name, input_size, n_actions)
        arms = self.sizes[1]
        if adapts not in ADAPTS:
            raise InvalidTask(f"{self.name} takes adapts of {ADAPTS}, not {adapts}")
        self.adapts, self.second_order = adapts, second_order
        self.low, self.high = reward_range
        self.layer1 = nn.Parameter(_first_layer(hidden_size, self.sizes[0]))
        self.layer2 = nn.Parameter(torch.empty(arms, hidden_size + 1))
        nn.init.uniform_(self.layer2, -0.1 * hidden_size**-0.5, 0.1 * hidden_size**-0.5)
        adapted = [self.layer2] if adapts == "head" else [self.layer1, self.layer2]
        self.scales = nn.ParameterList([torch.zeros_like(layer) for layer in adapted])
        self.n_logits, self.output_size = arms, arms + hidden_size
        self._begin()

    def _begin(self) -> None:
        """Make the parameters of the loss."""
        self.baseline = nn.Parameter(torch.full((1,), FIRST_BASELINE))
        self.pace = nn.Parameter(torch.logit(torch.tensor(FIRST_PACE)) / SPEED)
        self.entropy = nn.Parameter(torch.tensor(FIRST_ENTROPY).log() / SPEED)

    def rates(self) -> Rates:
        """Step sizes: the first ones times what has been learned of them."""
        first = self.first_rate / (1.0 + len(self.layer1[:, 0]) / 3.0)
        a = [first * torch.exp(SPEED * scale)[..., None] for scale in self.scales]
        a1 = None if self.adapts == "head" else a[0]
        return Rates(a1, a[-1], *self._loss_rates())

    def _loss_rates(self) -> tuple[Tensor, Tensor]:
        """Step size of the baseline, weight of the entropy."""
        return torch.sigmoid(SPEED * self.pace), torch.exp(SPEED * self.entropy)

    def _theta(self) -> Theta:
        """At an episode's start."""
        return Theta(self.layer1[..., None], self.layer2[..., None], self.baseline)

    def _logits(self, z: Tensor) -> Tensor:
        """Logits of the actions, from the network's outputs [T, K, N]."""
        return z

    def initial(self, n: int) -> Carry:
        """The trained initial weights, and no transition to learn from."""
        theta = {k: part for k, part in self._theta()._asdict().items() if k in self.carried}
        copies = {k: p.movedim(-1, 0).repeat(n, *[1] * (p.ndim - 1)) for k, p in theta.items()}
        return {**copies, "stimulus": self.layer1.new_zeros(n, self.sizes[0] + 1)}

    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, S + K + 1] -> [T, N, K + H]."""
        stimulus, action, reward = torch.split(x, self.sizes, dim=-1)
        seen = torch.cat([carry["stimulus"][None], F.pad(stimulus, (0, 1), value=1.0)])
        action = action * (keep(starts) * seen[:-1, :, -1])[..., None]
        fraction = (reward[..., 0] - self.low) / (self.high - self.low)
        given = Transitions(seen.mT.contiguous(), action.mT.contiguous(), fraction, starts)
        first, n = self._theta(), len(seen[0])
        before = [
            carry[name].movedim(0, -1).contiguous() if name in carry else part.repeat(n)
            for name, part in zip(Theta._fields, first, strict=True)
        ]
        z, h, theta = inner_loop(
            given, Theta(*before), first, self.rates(), self.loss, self.second_order
        )
        after = {n: part.movedim(-1, 0) for n, part in theta._asdict().items() if n in carry}
        features = torch.cat([self._logits(z), h], dim=1).mT
        return features, {**after, "stimulus": seen[-1]}


class ValueStep(GradientStep):
    """The same over values: each transition descends (value of the action - reward)^2 / 2.

    The logits are the values over a learned temperature; there is no baseline.
    """

    name: ClassVar[str] = "value_step"
    carried: ClassVar[Mapping[str, str]] = {
        "layer1": "weights",
        "layer2": "weights",
        "stimulus": "context",
    }
    loss: ClassVar[str] = "value"
    first_rate: ClassVar[float] = FIRST_VALUE_RATE

    def _begin(self) -> None:
        with torch.no_grad():
            self.layer2[:, -1] += FIRST_VALUE
        self.cold = nn.Parameter(-torch.tensor(FIRST_TEMPERATURE).log() / SPEED)

    def _loss_rates(self) -> tuple[Tensor, Tensor]:
        return self.cold.new_zeros(()), self.cold.new_zeros(())

    def _theta(self) -> Theta:
        return Theta(self.layer1[..., None], self.layer2[..., None], self.cold.new_zeros(1))

    def _logits(self, z: Tensor) -> Tensor:
        return z * torch.exp(SPEED * self.cold)


def _first_layer(hidden: int, stimulus: int) -> Tensor:
    """First weights [H, S + 1]: stimuli must be told apart from the beginning."""
    weights, bias = torch.empty(hidden, stimulus), torch.empty(hidden, 1).uniform_(-1.0, 1.0)
    if stimulus:
        init_inputs_(weights)
    return torch.cat([weights, bias], dim=1)


def from_layout(layout: Layout) -> dict[str, Any]:
    """Arguments that say what the inputs are.

    Raises:
        InvalidTask: the actions or the rewards, without which there is no step, are not shown.
    """
    if not {"action", "reward"} <= layout.slices.keys():
        raise InvalidTask("a gradient step needs the action and the reward; observe both")
    family = layout.family
    return {"n_actions": family.n_arms, "reward_range": [float(r) for r in family.reward_range]}


def _agent(name: str, summary: str, cell: type[Cell] = GradientStep, **kwargs: Any) -> Trainable:
    return Trainable(
        name, f"weights: {summary}", cell, sees=SEES, cell_kwargs=kwargs, from_layout=from_layout
    )


AGENTS = (
    _agent("maml", "learned policy-gradient steps (Finn 2017; step sizes: Li 2017, Meta-SGD)"),
    _agent("maml_value", "learned steps of value regression (Finn 2017, Li 2017)", ValueStep),
    _agent(
        "maml_first_order", "as maml, by first-order gradients (Nichol 2018)", second_order=False
    ),
    _agent("anil", "as maml, of the last layer alone (Raghu 2019)", adapts="head"),
)
