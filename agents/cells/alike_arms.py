"""One small recurrent network for every arm: a cell that treats arms alike.

Every arm k has numbers h_k [M] of its own, changed when the arm is taken, by gated recurrent units
that all arms share. The choice reads them, and what all arms have in common:

    h_k' = GRU([s, r], h_k)  if arm k was taken, else h_k
    c = [mean_k h_k, max_k h_k, t / 100, log(1 + t)]
    z_k = tanh(A h_k + B c + b),   logit_k = o . z_k

Renaming the arms renames the logits, so what is learned of one arm is known of all; the number of
parameters does not depend on K. Zaheer et al. 2017, "Deep sets", theorem 1 and lemma 3, have
the pooled context.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from metalocus.agents.cells._inputs import sizes_of_inputs
from metalocus.agents.cells.base import (
    Carry,
    Cell,
    Trainable,
    init_chrono_,
    init_inputs_,
    start_steps,
)
from metalocus.agents.cells.gradient_step import SEES
from metalocus.envs import InvalidTask, Layout
from metalocus.envs.checks import require_count

FIRST_LOGITS = 0.01
"""Size of the read-out before training: choices begin uniform, as those of other agents do."""
LONG = 100.0
"""Trials that one unit of linear time stands for; its logarithm has the early ones."""


class AlikeArms(Cell):
    """The network above. Its logits are the action distribution, and the first features.

    For the critic a value of every arm follows, and the mean of z_k. Carries ``arms`` [N, K, M] and
    ``steps`` [N], the trials so far (state).

    Args:
        input_size: S + K + 1: stimulus [S], previous action one-hot [K], all zero where there
            is none, and previous reward.
        hidden_size: M.
        n_actions: K; by default there is no stimulus.
        head_size: units that read an arm's numbers.

    Raises:
        InvalidTask: an argument is impossible, or the sizes do not add up.
    """

    name: ClassVar[str] = "alike_arms"
    carried: ClassVar[Mapping[str, str]] = {"arms": "state", "steps": "state"}

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 16,
        n_actions: int | None = None,
        head_size: int = 32,
    ) -> None:
        super().__init__()
        self.sizes = sizes_of_inputs(self.name, input_size, n_actions)
        hidden = require_count("hidden_size", hidden_size, 1)
        head = require_count("head_size", head_size, 1)
        self.gru = nn.GRUCell(self.sizes[0] + 1, hidden)
        self.first = nn.Parameter(torch.zeros(hidden))
        self.own, self.common = nn.Linear(hidden, head), nn.Linear(2 * hidden + 2, head)
        self.read = nn.Linear(head, 2)  # the logit and the value of an arm
        arms = self.sizes[1]
        self.n_logits, self.output_size = arms, 2 * arms + head
        z = slice(hidden, 2 * hidden)
        init_inputs_(self.gru.weight_ih)
        init_chrono_(self.gru.bias_ih[z])
        with torch.no_grad():
            self.gru.weight_ih[z] /= 4
            self.gru.bias_hh[z] = 0.0
            self.read.weight[0] *= FIRST_LOGITS

    def initial(self, n: int) -> Carry:
        """The learned first numbers, the same for every arm, and no steps."""
        arms = self.first.expand(n, self.sizes[1], -1).clone()
        return {"arms": arms, "steps": self.first.new_zeros(n)}

    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, S + K + 1] -> [T, N, 2 K + head_size]."""
        stimulus, action, reward = torch.split(x, self.sizes, dim=-1)
        taken, which = action.max(dim=-1, keepdim=True)  # 1 and the arm; 0 where none was taken
        drive = torch.cat([stimulus, reward], dim=-1)
        arms, steps, begins = carry["arms"], carry["steps"], set(start_steps(starts))
        where = which[..., None].expand(-1, -1, 1, arms.shape[2])
        after, times = [], []
        for t in range(len(x)):
            if t in begins:
                arms = torch.where(starts[t, :, None, None] > 0, self.first, arms)
                steps = torch.where(starts[t] > 0, torch.zeros_like(steps), steps)
            own = arms.gather(1, where[t])[:, 0]
            own = own + taken[t] * (self.gru(drive[t], own) - own)
            arms = arms.scatter(1, where[t], own[:, None])
            after.append(arms)
            times.append(steps)
            steps = steps + 1.0
        return self._read_out(torch.stack(after), torch.stack(times)), {
            "arms": arms,
            "steps": steps,
        }

    def _read_out(self, arms: Tensor, times: Tensor) -> Tensor:
        """Features of arms' numbers [T, N, K, M] at times [T, N]."""
        clock = [times[..., None] / LONG, torch.log1p(times)[..., None]]
        common = self.common(torch.cat([arms.mean(dim=2), arms.amax(dim=2), *clock], dim=-1))
        z = torch.tanh(self.own(arms) + common[:, :, None])
        logits, values = self.read(z).unbind(dim=-1)
        return torch.cat([logits, values, z.mean(dim=2)], dim=-1)


def from_layout(layout: Layout) -> dict[str, Any]:
    """Arguments that say what the inputs are.

    Raises:
        InvalidTask: the actions or the rewards, by which arms are told apart, are not shown.
    """
    if not {"action", "reward"} <= layout.slices.keys():
        raise InvalidTask("alike_arms needs the action and the reward; observe both")
    return {"n_actions": layout.family.n_arms}


AGENTS = (
    Trainable(
        "alike_arms",
        "recurrent: one small network shared by all arms (Zaheer 2017)",
        AlikeArms,
        sees=SEES,
        rollout=12_800,
        from_layout=from_layout,
    ),
)
