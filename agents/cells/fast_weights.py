"""Fast weights written by the delta rule, computed at once for all steps of a chunk of time.

A slow network gives every step a key k, a value v, a query q (k and q of length 1) and a
writing strength b; the fast matrix F is corrected towards the value, then read:

    F' = F + b (v - F k) k^T,   y = F' q        (Schlag et al. 2021, equations 23 to 25)

Within a chunk the corrections u = b (v - F k) solve a triangular system of products of keys, since
each takes out what the ones before it wrote (Yang et al. 2024, "Parallelizing linear transformers
with the delta rule over sequence length"); of the fast matrices only a chunk's last is formed.
That takes a third of the time of the plain recurrence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metalocus.agents.cells.base import Carry, Cell, Trainable, init_inputs_, keep

CHUNK = 50
"""Steps computed at once. The work on products of keys grows in proportion to it, the number of
rounds of the loop shrinks; 50 is about the fastest."""
TINY = 1e-6
"""Least length by which a key or a query is divided, so that one of zeros stays zeros."""


class FastWeights(Cell):
    """One fast matrix [H, K], written and read at every step.

    The slow network sees this step and the one before it, since a cue and the reward of the answer
    to it, which are to be bound, come one step apart. Carries ``fast`` [N, H, K]
    (weights) and ``before`` [N, H], the last step's embedding (state).
    """

    name: ClassVar[str] = "fast_weights"
    carried: ClassVar[Mapping[str, str]] = {"fast": "weights", "before": "state"}

    def __init__(self, input_size: int, hidden_size: int = 64, key_size: int = 32) -> None:
        super().__init__()
        self.sizes = (key_size, key_size, hidden_size, hidden_size, 1)
        self.embed = nn.Linear(input_size, hidden_size)
        init_inputs_(self.embed.weight)
        self.slow = nn.Linear(hidden_size, sum(self.sizes))
        self.key_before = nn.Linear(hidden_size, key_size, bias=False)
        self.output_size = hidden_size

    def initial(self, n: int) -> Carry:
        """An empty fast matrix, and no step before: zeros."""
        size, like = self.output_size, self.slow.weight
        return {"fast": like.new_zeros(n, size, self.sizes[0]), "before": like.new_zeros(n, size)}

    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, I] -> [T, N, H]."""
        now = torch.tanh(self.embed(x.transpose(0, 1)))
        before = torch.cat([carry["before"][:, None], now[:, :-1]], dim=1)
        before = before * keep(starts).T[..., None]
        k, q, v, skip, write = self.slow(now).split(self.sizes, dim=-1)
        y, fast = _delta_rule(k + self.key_before(before), q, v, write, starts.T, carry["fast"])
        return torch.tanh(y + skip).transpose(0, 1), {"fast": fast, "before": now[:, -1]}


def _delta_rule(
    k: Tensor, q: Tensor, v: Tensor, write: Tensor, starts: Tensor, fast: Tensor
) -> tuple[Tensor, Tensor]:
    """What is read at every step [N, T, H], and the last fast matrix.

    Args:
        k: keys of any length, [N, T, K].
        q: queries of any length, [N, T, K].
        v: values, [N, T, H].
        write: strengths of writing before the sigmoid, [N, T, 1].
        starts: 1 where a step is the first of an episode, [N, T].
        fast: the matrix before the first step, [N, H, K].
    """
    k, q = (F.normalize(each, dim=-1, eps=TINY) for each in (k, q))
    read = []
    for k_c, q_c, v_c, b, starts_c in _chunks(k, q, v, torch.sigmoid(write), starts):
        same, goes_on, last = _episodes(starts_c)
        u = _solve(k_c @ k_c.mT * (b * same), b * (v_c - goes_on * (k_c @ fast.mT)))
        read.append(torch.baddbmm(goes_on * (q_c @ fast.mT), q_c @ k_c.mT * same, u))
        fast = torch.baddbmm(goes_on[:, -1:] * fast, (last * u).mT, k_c)
    return torch.cat(read, dim=1), fast


def _chunks(*sequences: Tensor) -> list[tuple[Tensor, ...]]:
    """Views of CHUNK steps each, [N, C, ...]."""
    return list(zip(*(torch.split(each, CHUNK, dim=1) for each in sequences), strict=True))


def _episodes(starts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Which steps of a chunk are of which episode, of starts [N, C]; 1 for yes and 0 for no.

    Returns:
        Whether each earlier step is of the same episode [N, C, C], whether a step is of the
        episode that goes on from before the chunk, and of the last one, [N, C, 1] each.
    """
    number = starts.cumsum(dim=1)[..., None]
    same = (number == number.mT).to(starts.dtype).tril()
    return same, (number == 0).to(starts.dtype), (number == number[:, -1:]).to(starts.dtype)


def _solve(overlap: Tensor, b: Tensor) -> Tensor:
    """Solve (1 + L) x = b for x, where L is what lies below the diagonal of the overlap."""
    x: Tensor = torch.linalg.solve_triangular(overlap, b, upper=False, unitriangular=True)
    return x


AGENTS = (
    Trainable("fast_weights", "plastic: fast weights by the delta rule (Schlag 2021)", FastWeights),
)
