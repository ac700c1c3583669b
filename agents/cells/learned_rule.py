"""A small learned update rule as the recurrence: a memoryless policy whose weights it changes.

Every action k has weights w_k [M, F] of its own, which read the features x = [s, 1] of a stimulus s
into M numbers v_k = w_k x. The choice is a softmax of their read-out, o . v_k. After a transition
(x, a, r) the weights of every action change by the least that moves its numbers by a learned rule,
the same for all actions; the rule is told whether the action was taken, c = 1[k = a]:

    u = [v_k, r, 1]
    d = (c A + (1 - c) B / 4) u + (c + (1 - c) / 4) D tanh(E [c, u])
    w_k' = clip(w_k + d x^T / |x|^2, -BOUND, BOUND)

Nothing else is learned: A, B [M, M + 2], D [M, H], E [H, M + 3], o [M], and the numbers m [M] that
every action has at an episode's start. With H = 0 the rule is affine; the delta rule, forgetting
and the counterfactual delta rule are special cases of it already at M = 1. Bengio et al. 1992, "On
the optimization of a synaptic learning rule", have the parametrised rule; Oh et al. 2020,
"Discovering reinforcement learning algorithms", the vector for each action in place of a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metalocus.agents.cells._inputs import sizes_of_inputs
from metalocus.agents.cells.base import Carry, Cell, Trainable, keep, start_steps
from metalocus.agents.cells.gradient_step import SEES, from_layout
from metalocus.envs.checks import require_count, require_flag

BOUND = 10.0
"""Greatest weight: an affine rule may grow without limit, and a reward is at most 1."""
OTHERS = 0.25
"""Factor on what changes the actions not taken. Nothing draws their numbers back before training,
so that an error in their change adds up over the episode; in those of the action taken it is
forgotten within 1 / FIRST_RATE trials."""
READ = 40.0
"""Factor on the read-out: the optimizer's steps, of one size for all parameters, would change a
number of the size of 1 / FIRST_TEMPERATURE too slowly."""
FIRST_TEMPERATURE = 0.05
"""Temperature of the choice between the actions' first numbers before training."""
FIRST_RATE = 0.2
"""Share before training of the way to the reward that the first number of the action taken goes: a
delta rule."""
FIRST_VALUE = 0.5
"""First number at an episode's start before training: the middle of the range of rewards."""
SPREAD = 0.01
"""Standard deviation before training of what changes the numbers beside the first, so that they
differ. They act on nothing yet: what the first is changed by, and the read-out of the others, begin
at 0. The first would otherwise drift at every trial, and on five arms most of the delta rule's
score of .94 was lost (.61)."""


class LearnedRule(Cell):
    """The rule above. Its logits are the action distribution, and the first features.

    The actions' numbers follow for the critic. Carries ``weights`` [N, K, M, S + 1] (weights), and
    ``stimulus`` [N, S + 1] of the transition that is learned from next, with a 1 behind it unless
    there was none (context). Rewards are taken as fractions of their range.

    Args:
        input_size: S + K + 1: stimulus [S], previous action one-hot [K], all zero where there
            is none, and previous reward.
        hidden_size: H, 0 for an affine rule.
        memory_size: M.
        n_actions: K; by default there is no stimulus.
        reward_range: least and greatest reward.
        others: change the weights of the actions not taken too.

    Raises:
        InvalidTask: an argument is impossible, or the sizes do not add up.
    """

    name: ClassVar[str] = "learned_rule"
    carried: ClassVar[Mapping[str, str]] = {"weights": "weights", "stimulus": "context"}

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 0,
        memory_size: int = 1,
        n_actions: int | None = None,
        reward_range: tuple[float, float] = (0.0, 1.0),
        others: bool = True,
    ) -> None:
        super().__init__()
        self.sizes = sizes_of_inputs(self.name, input_size, n_actions)
        hidden = require_count("hidden_size", hidden_size, 0)
        memory = require_count("memory_size", memory_size, 1)
        self.others = require_flag("others", others)
        self.low, self.high = reward_range
        self.taken = nn.Parameter(_small(memory, memory + 2))
        self.not_taken = nn.Parameter(_small(memory, memory + 2)) if others else None
        self.hidden = nn.Parameter(torch.randn(hidden, memory + 3)) if hidden else None
        self.out = nn.Parameter(_small(memory, hidden)) if hidden else None
        self.read = nn.Parameter(_small(memory))
        self.first = nn.Parameter(_small(memory))
        with torch.no_grad():
            self.taken[0, [0, -2]] = torch.tensor([-FIRST_RATE, FIRST_RATE])
            self.read.zero_()
            self.read[0] = 1.0 / (FIRST_TEMPERATURE * READ)
            self.first[0] = FIRST_VALUE
        self.n_logits, self.output_size = self.sizes[1], self.sizes[1] * (1 + memory)

    @property
    def n_rule_parameters(self) -> int:
        """Numbers that are learned: of the rule, its read-out and the weights' beginning."""
        return sum(each.numel() for each in self.parameters())

    def initial(self, n: int) -> Carry:
        """The learned first weights, the same for every action, and no transition to learn from."""
        features, arms = self.sizes[0] + 1, self.sizes[1]
        weights = F.pad(self.first[:, None], (features - 1, 0))
        return {
            "weights": weights.expand(n, arms, *weights.shape).clone(),
            "stimulus": weights.new_zeros(n, features),
        }

    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, S + K + 1] -> [T, N, K (1 + M)]."""
        stimulus, action, reward = torch.split(x, self.sizes, dim=-1)
        seen = torch.cat([carry["stimulus"][None], F.pad(stimulus, (0, 1), value=1.0)])
        action = action * (keep(starts) * seen[:-1, :, -1])[..., None]
        reward = (reward - self.low) / (self.high - self.low)
        size = seen[:-1, :, :-1].square().sum(-1, keepdim=True) + 1.0
        weights, fresh = carry["weights"], self.initial(len(x[0]))["weights"]
        begins, numbers = set(start_steps(starts)), []
        for t, (before, now) in enumerate(pairwise(seen)):
            if t in begins:
                weights = torch.where(starts[t, :, None, None, None] > 0, fresh, weights)
            change = self._rule(_read(weights, before), action[t], reward[t])
            weights = weights + change[..., None] * (before / size[t])[:, None, None]
            weights = weights.clamp(-BOUND, BOUND)
            numbers.append(_read(weights, now))
        v = torch.stack(numbers)
        features = torch.cat([READ * (v @ self.read), v.flatten(2)], dim=-1)
        return features, {"weights": weights, "stimulus": seen[-1]}

    def _rule(self, v: Tensor, action: Tensor, reward: Tensor) -> Tensor:
        """Changes of the actions' numbers v [N, K, M], given action [N, K] and reward [N, 1]."""
        some = action.sum(-1, keepdim=True)[..., None]  # 0 where there is no transition
        c, r = action[..., None], reward[:, None].expand(*v.shape[:2], 1)
        u = torch.cat([v, r, torch.ones_like(r)], dim=-1)
        change = c * (u @ self.taken.T)
        if self.not_taken is not None:
            change = change + OTHERS * (some - c) * (u @ self.not_taken.T)
        if self.hidden is not None and self.out is not None:
            where = c + OTHERS * (some - c) if self.others else c
            h = torch.tanh(torch.cat([c, u], dim=-1) @ self.hidden.T)
            change = change + where * (h @ self.out.T)
        return change


def _small(memory: int, *columns: int) -> Tensor:
    """What the numbers are changed by before training, [M, ...]: 0 for the first of them."""
    rows = SPREAD * torch.randn(memory, *columns)
    rows[0] = 0.0
    return rows


def _read(weights: Tensor, x: Tensor) -> Tensor:
    """The numbers [N, K, M] that weights [N, K, M, F] make of features x [N, F]."""
    return (weights * x[:, None, None]).sum(-1)


def _agent(name: str, summary: str, **kwargs: Any) -> Trainable:
    return Trainable(
        name,
        f"weights: {summary}",
        LearnedRule,
        sees=SEES,
        cell_kwargs=kwargs,
        from_layout=from_layout,
    )


AGENTS = (
    _agent(
        "learned_rule",
        "a learned update rule, the same for every action (Bengio 1992)",
        hidden_size=16,
        memory_size=2,
    ),
    _agent(
        "learned_rule_affine",
        "as learned_rule, of eight numbers",
    ),
)
