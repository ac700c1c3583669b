"""Fast weights written by the delta rule, computed in parallel over chunks of time.

A slow network gives every step a key k, a value v, a query q (k and q of length 1) and a
writing strength b; the fast matrix F is corrected towards the value, then read:

    F' = F + b (v - F k) k^T,   y = F' q        (Schlag et al. 2021, equations 23 to 25)

Within a chunk the corrections u solve a triangular system of products of keys, since each
takes out what the ones before it wrote (Yang et al. 2024, "Parallelizing linear transformers
with the delta rule over sequence length"); no fast matrix but a chunk's last is ever formed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from metalocus.agents.cells.base import Carry, Cell, Trainable, init_inputs_, keep

CHUNK = 50
"""Steps computed at once: products of keys cost time in proportion to it, the loop the reverse."""
TINY = 1e-6
"""Least length by which a key or a query is divided."""


class FastWeights(Cell):
    """One fast matrix [H, K], written and read at every step.

    The slow network sees this step and the one before it: what is to be bound, a cue and
    the reward of the answer to it, comes one step apart. Carries ``fast`` [N, H, K]
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
        """Zeros."""
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


class _DeltaRule(torch.autograd.Function):
    """k, q [N, T, K], v [N, T, H], write [N, T, 1], starts [N, T], fast -> y [N, T, H], fast.

    Keys and queries are of any length; the strength of writing is sigmoid(write). A chunk's
    overlaps are computed again in the backward pass: they are cheaper than their storage.
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        k, q, v, write, starts, fast = inputs
        k_length, q_length = (each.norm(dim=-1, keepdim=True).clamp_min(TINY) for each in (k, q))
        k, q, strength = k / k_length, q / q_length, torch.sigmoid(write)
        u, y, before = torch.empty_like(v), torch.empty_like(v), []
        for k_c, q_c, v_c, b, starts_c, u_c, y_c in _chunks(k, q, v, strength, starts, u, y):
            same, goes_on, last = _episodes(starts_c)
            u_c.copy_(_solve(k_c @ k_c.mT * (b * same), b * (v_c - goes_on * (k_c @ fast.mT))))
            torch.baddbmm(goes_on * (q_c @ fast.mT), q_c @ k_c.mT * same, u_c, out=y_c)
            before.append(fast)
            fast = torch.baddbmm(goes_on[:, -1:] * fast, (last * u_c).mT, k_c)
        ctx.save_for_backward(k, q, k_length, q_length, strength, starts, u, *before)
        return y, fast

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        k, q, k_length, q_length, strength, starts, u, *before = ctx.saved_tensors
        dk, dq, dv, dwrite = (torch.empty_like(each) for each in (k, q, u, strength))
        chunks = _chunks(k, q, u, strength, starts, grads[0], dk, dq, dv, dwrite)
        dfast = grads[1]
        for (k_c, q_c, u_c, b, starts_c, dy, dk_c, dq_c, dv_c, dwrite_c), fast in zip(
            reversed(chunks), reversed(before), strict=True
        ):
            same, goes_on, last = _episodes(starts_c)
            written, dy_before = last * u_c, goes_on * dy
            du = torch.baddbmm(last * (k_c @ dfast.mT), (q_c @ k_c.mT * same).mT, dy)
            derror = _solve(k_c @ k_c.mT * (b * same), du, transposed=True)
            torch.sum(derror * u_c * (1 - b), dim=-1, keepdim=True, out=dwrite_c)
            torch.mul(b, derror, out=dv_c)
            dv_before = goes_on * dv_c
            dqk, dkk = dy @ u_c.mT * same, dv_c @ u_c.mT * same
            torch.baddbmm(dy_before @ fast, dqk, k_c, out=dq_c)
            torch.baddbmm(written @ dfast, dkk + dkk.mT, k_c, alpha=-1, out=dk_c)
            dk_c.baddbmm_(dqk.mT, q_c).baddbmm_(dv_before, fast, alpha=-1)
            dfast = torch.baddbmm(goes_on[:, -1:] * dfast, dy_before.mT, q_c)
            dfast.baddbmm_(dv_before.mT, k_c, alpha=-1)
        for d, unit, length in ((dk, k, k_length), (dq, q, q_length)):
            d.addcmul_(unit, (unit * d).sum(dim=-1, keepdim=True), value=-1).div_(length)
        return dk, dq, dv, dwrite, None, dfast


_delta_rule: Any = _DeltaRule.apply


def _chunks(*sequences: Tensor) -> list[tuple[Tensor, ...]]:
    """Views of CHUNK steps each, [N, C, ...]."""
    return list(zip(*(torch.split(each, CHUNK, dim=1) for each in sequences), strict=True))


def _episodes(starts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of starts [N, C], as 0 or 1: which earlier steps are of the same episode [N, C, C], which
    steps are of the one that goes on from before the chunk, and which of its last, [N, C, 1]."""
    number = starts.cumsum(dim=1)[..., None]
    same = (number == number.mT).to(starts.dtype).tril()
    return same, (number == 0).to(starts.dtype), (number == number[:, -1:]).to(starts.dtype)


def _solve(overlap: Tensor, b: Tensor, transposed: bool = False) -> Tensor:
    """x of (1 + L) x = b, where L is what lies below the diagonal of the overlap."""
    a = overlap.mT if transposed else overlap
    x: Tensor = torch.linalg.solve_triangular(a, b, upper=transposed, unitriangular=True)
    return x


AGENTS = (
    Trainable("fast_weights", "plastic: fast weights by the delta rule (Schlag 2021)", FastWeights),
)
