"""One small recurrent network for every pair of state and action: a cell that treats them alike.

Every pair (s, a) has numbers h_sa [M] of its own, changed when the action is taken in the state, by
gated recurrent units that all pairs share. The choice in state s reads the numbers of its actions,
and what they have in common:

    h_sa' = GRU([x, r], h_sa)  if a was taken in s, else h_sa
    c = [mean_a h_sa, max_a h_sa, t / 100, log(1 + t)]
    z_a = tanh(A h_sa + B c + b),   logit_a = o . z_a

with x what is shown beside the state. A bandit has one state. Renaming the actions renames the
logits, so what is learned of one pair is known of all, and the number of parameters depends on
neither the states nor the actions. It remembers what each action paid in each state, and not where
it led. Zaheer et al. 2017, "Deep sets", theorem 1 and lemma 3, have the pooled context.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear, one_hot

from metalocus.agents.cells._inputs import sizes_of_inputs
from metalocus.agents.cells.base import (
    LONGEST,
    Carry,
    Cell,
    Trainable,
    init_chrono_,
    init_inputs_,
    start_steps,
    views,
)
from metalocus.agents.cells.gradient_step import SEES
from metalocus.envs import InvalidTask, Layout
from metalocus.envs.checks import require_count

FIRST_LOGITS = 0.01
"""Size of the read-out before training: choices begin uniform, as those of other agents do."""
LONG = 100.0
"""Trials that one unit of linear time stands for; its logarithm has the early ones."""


class Alike(Cell):
    """The network above. Its logits are the action distribution, and the first features.

    A value of every action follows, read off z_a as the logit is, and the mean of z_a. Carries
    ``pairs`` [N, S * K, M] and ``steps`` [N], the trials so far (state), and ``last`` [N, S], the
    state of the trial before, one-hot (context).

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

    name: ClassVar[str] = "alike"
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
        self.n_logits = self.n_values = self.n_actions
        self.output_size = 2 * self.n_actions + head
        z = slice(hidden, 2 * hidden)
        init_inputs_(self.gru.weight_ih)
        init_chrono_(self.gru.bias_ih[z], LONGEST)
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
        taken, which = action.max(dim=-1)  # 1 and the action; 0 where there was none
        states = state.argmax(dim=-1)
        before = torch.cat([carry["last"].argmax(dim=-1)[None], states[:-1]])
        rows = torch.arange(x.shape[1], device=x.device) * self.n_states
        present, pairs = _alike_sequence(
            linear(drive, self.gru.weight_ih, self.gru.bias_ih),
            self.gru.weight_hh,
            self.gru.bias_hh,
            self.first,
            carry["pairs"],
            starts,
            (rows + before) * self.n_actions + which,
            rows + states,
            taken,
            self.n_actions,
        )
        times = _times(starts, carry["steps"])
        return self._read_out(present, times), {
            "pairs": pairs,
            "steps": times[-1] + 1.0,
            "last": one_hot(states[-1], self.n_states).to(times.dtype),
        }

    def _read_out(self, actions: Tensor, times: Tensor) -> Tensor:
        """Features of the present actions' numbers [T, N, K, M] at times [T, N]."""
        clock = [times[..., None] / LONG, torch.log1p(times)[..., None]]
        shared = [actions.mean(dim=2), actions.amax(dim=2), *clock]
        common = self.common(torch.cat(shared, dim=-1))
        z = torch.tanh(self.own(actions) + common[:, :, None])
        logits, values = self.read(z).unbind(dim=-1)
        return torch.cat([logits, values, z.mean(dim=2)], dim=-1)


class _AlikeSequence(torch.autograd.Function):
    """The numbers of all pairs over a sequence: -> present [T, N, K, M], pairs [N, S * K, M].

    Inputs: the inputs' part of the gates [T, N, 3M], in rows r, z, n; recurrent weights [3M, M] and
    biases [3M]; first numbers [M]; pairs; starts [T, N]; for each step which of all N * S * K
    pairs changes, which of all N * S states is present, and 1 if anything was taken, else 0,
    [T, N] each. The same as this loop, in which ``states`` [N * S, K, M] is a view of the pairs:

        for t in range(T):
            pairs[rows whose episode starts] = first
            h = pairs[changed[t]]
            r, z = sigmoid(from_x[t][:2M] + w[:2M] @ h + b[:2M]).chunk(2)
            u = w[2M:] @ h + b[2M:]
            n = tanh(from_x[t][2M:] + r * u)
            pairs[changed[t]] = h + taken[t] * (1 - z) * (n - h)
            present[t] = states[shown[t]]

    What does not depend on the step before (the slopes of the nonlinearities, the weights'
    gradients) is computed for all steps at once.
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor]:
        from_x, w, b, first, pairs, starts, changed, shown, taken, n_actions = inputs
        hidden, two, begins = len(first), 2 * len(first), set(start_steps(starts))
        pairs = pairs.clone(memory_format=torch.contiguous_format)
        table, states = pairs.view(-1, hidden), pairs.view(-1, n_actions * hidden)
        gates = from_x.clone()
        h, u = (torch.empty_like(gates[..., two:]) for _ in range(2))
        present = h.new_empty(*starts.shape, n_actions * hidden)
        steps = views(gates[..., :two], gates[..., two:], h, u, present, changed, shown)
        for t, (rz, new, h_t, u_t, present_t, pair, state) in enumerate(steps):
            if t in begins:
                pairs[starts[t] > 0] = first
            torch.index_select(table, 0, pair, out=h_t)
            g = torch.addmm(b, h_t, w.T)
            u_t.copy_(g[:, two:])
            r, z = rz.add_(g[:, :two]).sigmoid_().chunk(2, dim=1)
            new.addcmul_(r, u_t).tanh_()
            table.index_copy_(0, pair, h_t.lerp(new, (1 - z) * taken[t, :, None]))
            torch.index_select(states, 0, state, out=present_t)
        ctx.save_for_backward(w, starts, changed, shown, taken, gates, h, u)
        return present.view(*starts.shape, n_actions, hidden), pairs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        w, starts, changed, shown, taken, gates, h, u = ctx.saved_tensors
        hidden, share = h.shape[2], taken[..., None]
        r, z, new = gates.chunk(3, dim=2)
        slope_n, slope_r = share * (1 - z) * (1 - new * new), r * (1 - r) * u
        slope_z, stay = share * z * (1 - z) * (h - new), 1 - share * (1 - z)
        d_pairs = grads[1].clone(memory_format=torch.contiguous_format)
        table, states = d_pairs.view(-1, hidden), d_pairs.view(-1, grads[0][0, 0].numel())
        # gradients at h', and at n, r, z before their nonlinearities and at u: of these four the
        # first three reach the inputs, the last three the recurrent weights
        dh, d = torch.empty_like(h), h.new_empty(*h.shape[:2], 4 * hidden)
        d_first, begins = w.new_zeros(hidden), set(start_steps(starts))
        places = views(grads[0].flatten(2), shown, changed)
        slopes = views(slope_n, slope_r, slope_z, r, stay)
        found = views(dh, d[..., hidden:], *d.chunk(4, dim=2))
        for t in reversed(range(len(h))):
            (d_shown, state, pair), (s_n, s_r, s_z, r_t, kept) = places[t], slopes[t]
            dh_t, d_t, dn, dr, dz, du = found[t]
            states.index_copy_(0, state, states.index_select(0, state).add_(d_shown))
            torch.index_select(table, 0, pair, out=dh_t)
            torch.mul(dh_t, s_n, out=dn)
            torch.mul(dn, s_r, out=dr)
            torch.mul(dh_t, s_z, out=dz)
            torch.mul(dn, r_t, out=du)
            table.index_copy_(0, pair, torch.mul(dh_t, kept).addmm_(d_t, w))
            if t in begins:
                rows = starts[t] > 0
                d_first += d_pairs[rows].sum(dim=(0, 1))
                d_pairs[rows] = 0.0
        d_from_x = torch.cat([d[..., hidden : 3 * hidden], d[..., :hidden]], dim=2)
        d_h = d[..., hidden:].flatten(0, 1)
        d_w, d_b = d_h.T @ h.flatten(0, 1), d_h.sum(dim=0)
        d_taken = (dh * (1 - z) * (new - h)).sum(dim=2)
        return d_from_x, d_w, d_b, d_first, d_pairs, None, None, None, d_taken, None


_alike_sequence: Any = _AlikeSequence.apply


def _times(starts: Tensor, steps: Tensor) -> Tensor:
    """Trials of the episode before each step [T, N], after ``steps`` [N] before the first."""
    t = torch.arange(len(starts), dtype=steps.dtype, device=steps.device)[:, None]
    began = torch.where(starts > 0, t, -1.0).cummax(dim=0).values
    return torch.where(began >= 0, t - began, t + steps)


def _n_actions(layout: Layout, agent: str) -> int:
    """Of the task; :class:`InvalidTask` if it hides what tells pairs apart, actions or rewards."""
    if not {"action", "reward"} <= layout.slices.keys():
        raise InvalidTask(f"{agent} needs the action and the reward; observe both")
    return layout.family.n_arms


def arms_of(layout: Layout) -> dict[str, Any]:
    """Arguments of the cell for one state, whatever the stimulus tells.

    Raises:
        InvalidTask: the actions or the rewards, by which arms are told apart, are not shown.
    """
    return {"n_actions": _n_actions(layout, "alike_arms"), "n_states": 1}


def pairs_of(layout: Layout) -> dict[str, Any]:
    """Arguments of the cell for the family's states; a family without ``n_states`` has one.

    Raises:
        InvalidTask: the actions or the rewards, by which pairs are told apart, are not shown.
    """
    n_actions = _n_actions(layout, "alike_pairs")
    return {"n_actions": n_actions, "n_states": getattr(layout.family, "n_states", 1)}


AGENTS = (
    Trainable(
        "alike_arms",
        "recurrent: one small network shared by all arms (Zaheer 2017)",
        Alike,
        sees=SEES,
        rollout=12_800,
        from_layout=arms_of,
    ),
    Trainable(
        "alike_pairs",
        "recurrent: one small network shared by all pairs of state and action",
        Alike,
        sees=SEES,
        rollout=12_800,
        from_layout=pairs_of,
    ),
)
