"""One small recurrent network for every pair of state and action: a cell that treats them alike.

Every pair (s, a) has numbers h_sa [M] of its own, changed when the action is taken in the state, by
gated recurrent units that all pairs share. The choice in state s reads the numbers of its actions,
and what they have in common, as in :mod:`~metalocus.agents.cells.alike_arms`:

    h_sa' = GRU([x, r], h_sa)  if a was taken in s, else h_sa
    c = [mean_a h_sa, max_a h_sa, t / 100, log(1 + t)]
    z_a = tanh(A h_sa + B c + b),   logit_a = o . z_a

with x what is shown beside the state. What is learned of one pair is known of all, and the number
of parameters depends on neither the states nor the actions. It remembers what each action paid in
each state, and not where it led.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from metalocus.agents.cells._inputs import sizes_of_inputs
from metalocus.agents.cells.alike_arms import FIRST_LOGITS, LONG
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


class AlikePairs(Cell):
    """The network above. Its logits are the action distribution, and the first features.

    For the critic a value of every action follows, and the mean of z_a. Carries ``pairs``
    [N, S * K, M] and ``steps`` [N], the trials so far (state), and ``last`` [N, S], the state of
    the trial before, one-hot (context).

    Args:
        input_size: of stimulus, previous action one-hot [K], all zero where there is none, and
            previous reward.
        hidden_size: M.
        n_actions: K; by default there is no stimulus.
        n_states: S; the stimulus begins with the state one-hot. With 1 it tells no state.
        head_size: units that read a pair's numbers.

    Raises:
        InvalidTask: an argument is impossible, or the sizes do not add up.
    """

    name: ClassVar[str] = "alike_pairs"
    carried: ClassVar[Mapping[str, str]] = {"pairs": "state", "steps": "state", "last": "context"}

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 16,
        n_actions: int | None = None,
        n_states: int = 1,
        head_size: int = 32,
    ) -> None:
        super().__init__()
        self.sizes = sizes_of_inputs(self.name, input_size, n_actions)
        hidden = require_count("hidden_size", hidden_size, 1)
        head = require_count("head_size", head_size, 1)
        self.n_states, self.n_actions = require_count("n_states", n_states, 1), self.sizes[1]
        if self.n_states > max(1, self.sizes[0]):
            raise InvalidTask(f"n_states must be at most the stimulus' {self.sizes[0]} numbers")
        self.told = self.n_states if self.n_states > 1 else 0  # numbers of the stimulus: the state
        self.gru = nn.GRUCell(self.sizes[0] - self.told + 1, hidden)
        self.first = nn.Parameter(torch.zeros(hidden))
        self.own, self.common = nn.Linear(hidden, head), nn.Linear(2 * hidden + 2, head)
        self.read = nn.Linear(head, 2)  # the logit and the value of an action
        self.n_logits, self.output_size = self.n_actions, 2 * self.n_actions + head
        z = slice(hidden, 2 * hidden)
        init_inputs_(self.gru.weight_ih)
        init_chrono_(self.gru.bias_ih[z])
        with torch.no_grad():
            self.gru.weight_ih[z] /= 4
            self.gru.bias_hh[z] = 0.0
            self.read.weight[0] *= FIRST_LOGITS

    def initial(self, n: int) -> Carry:
        """The learned first numbers, the same for every pair, no steps, and no state before."""
        pairs = self.first.expand(n, self.n_states * self.n_actions, -1).clone()
        last = self.first.new_zeros(n, self.n_states)
        return {"pairs": pairs, "steps": self.first.new_zeros(n), "last": last}

    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, input_size] -> [T, N, 2 K + head_size]."""
        stimulus, action, reward = torch.split(x, self.sizes, dim=-1)
        state = stimulus[..., : self.told] if self.told else starts[..., None]
        drive = torch.cat([stimulus[..., self.told :], reward], dim=-1)
        states, which = state.argmax(dim=-1), action.argmax(dim=-1, keepdim=True)
        taken = action.amax(dim=-1, keepdim=True)  # 0 where there was no action
        pairs, steps, last = carry["pairs"], carry["steps"], carry["last"].argmax(dim=-1)
        begins, present, times = set(start_steps(starts)), [], []
        for t in range(len(x)):
            if t in begins:
                pairs = torch.where(starts[t, :, None, None] > 0, self.first, pairs)
                steps = torch.where(starts[t] > 0, torch.zeros_like(steps), steps)
            pairs = self._learned(pairs, self._places(last, which[t], pairs), taken[t], drive[t])
            present.append(pairs.gather(1, self._row(states[t], pairs)))
            times.append(steps)
            steps, last = steps + 1.0, states[t]
        return self._read_out(torch.stack(present), torch.stack(times)), {
            "pairs": pairs,
            "steps": steps,
            "last": one_hot(last, self.n_states).to(steps.dtype),
        }

    def _learned(self, pairs: Tensor, place: Tensor, taken: Tensor, drive: Tensor) -> Tensor:
        """The numbers of all pairs, that at a place [N, 1, M] after what it led to [N, X + 1]."""
        own = pairs.gather(1, place)[:, 0]
        own = own + taken * (self.gru(drive, own) - own)
        return pairs.scatter(1, place, own[:, None])

    def _row(self, states: Tensor, pairs: Tensor) -> Tensor:
        """Where in pairs [N, S * K, M] all actions in states [N] are, [N, K, M]."""
        return self._places(states, torch.arange(self.n_actions, device=states.device), pairs)

    def _places(self, states: Tensor, actions: Tensor, pairs: Tensor) -> Tensor:
        """Where in pairs [N, S * K, M] actions [K'] or [N, 1] in states [N] are, [N, K', M]."""
        places = states[:, None] * self.n_actions + actions
        return places[..., None].expand(-1, -1, pairs.shape[2])

    def _read_out(self, actions: Tensor, times: Tensor) -> Tensor:
        """Features of the present actions' numbers [T, N, K, M] at times [T, N]."""
        clock = [times[..., None] / LONG, torch.log1p(times)[..., None]]
        shared = [actions.mean(dim=2), actions.amax(dim=2), *clock]
        common = self.common(torch.cat(shared, dim=-1))
        z = torch.tanh(self.own(actions) + common[:, :, None])
        logits, values = self.read(z).unbind(dim=-1)
        return torch.cat([logits, values, z.mean(dim=2)], dim=-1)


def from_layout(layout: Layout) -> dict[str, Any]:
    """Arguments that say what the inputs are; a family without ``n_states`` has one state.

    Raises:
        InvalidTask: the actions or the rewards, by which pairs are told apart, are not shown.
    """
    if not {"action", "reward"} <= layout.slices.keys():
        raise InvalidTask("alike_pairs needs the action and the reward; observe both")
    return {"n_actions": layout.family.n_arms, "n_states": getattr(layout.family, "n_states", 1)}


AGENTS = (
    Trainable(
        "alike_pairs",
        "recurrent: one small network shared by all pairs of state and action",
        AlikePairs,
        sees=SEES,
        rollout=12_800,
        from_layout=from_layout,
    ),
)
