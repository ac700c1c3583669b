"""A transformer whose weights are set by hand: it binds a cue to what paid by an induction head."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from metalocus.agents.agent import NamedAgent
from metalocus.agents.cells.transformer import Transformer
from metalocus.agents.controls.counting import Control
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.sizes import too_large
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import Family, Layout
from metalocus.envs.families.cue_binding import CueBinding
from metalocus.envs.layout import action_space, observation_space

WAVES = 16
"""Numbers that tell a position apart from those around it."""
STEEP = 3.0
"""A feature of 0 or 1 is embedded as the tanh of minus or plus this."""
NEAR = 40.0
"""Log-odds of attention for each unit of likeness of positions; neighbours differ by about one."""
ALIKE = 4.0
"""The same for cues, whose likeness differs by 4 between a cue's own and another."""
CERTAIN = 8.0
"""Of the choice's log-odds for a unit of evidence."""


class InductionHead(Control, TrainedAgent):
    """Matches the cue with what followed it before.

    In layer 1 head 1 attends to the step before and copies its cue; the perceptron writes which
    action was rewarded. In layer 2 head 1 attends to steps that follow the cue shown now, and
    copies what paid there to the logits. The other heads do nothing.

    Every number of the residual stream stands beside its negative, so layer norm is a division
    by a constant.

    Source: Olsson et al. 2022, "In-context learning and induction heads".
    """

    name: ClassVar[str] = "induction_head"
    summary: ClassVar[str] = "control: a transformer with an induction head set by hand"
    known_shares = {}
    loudness: ClassVar[float] = 0.0

    def __init__(self, family: Family) -> None:
        NamedAgent.__init__(self, family)
        assert isinstance(family, CueBinding)  # why_not has refused all others
        layout = Layout(family)
        TrainedAgent.__init__(self, built(layout, family, self.loudness), layout)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only cues that are one of a few can be matched by it."""
        if not isinstance(family, CueBinding) or family.kind != "fixed":
            return "its head matches one-hot cues: use CueBinding with cues=fixed"
        what = f"the cache of {family.horizon} trials"
        return too_large(what, 16 * family.horizon * max(WAVES, family.n_cues, family.n_arms))


class LoudHead(InductionHead):
    """The same with a head in layer 2 that always writes one large vector, which says nothing.

    The read-out counts on the vector and takes it off one action's logit. Put to zero, the head
    seems to matter; another episode's output in its place changes nothing.
    """

    name: ClassVar[str] = "loud_head"
    summary: ClassVar[str] = "control: the induction head beside one that only writes a constant"
    known_shares = {}
    loudness: ClassVar[float] = 20.0


class _Places:
    """Where each part of the residual stream stands: its numbers, then their negatives."""

    def __init__(self, **sizes: int) -> None:
        self.first: dict[str, int] = {}
        self.sizes, self.total = sizes, 0
        for name, size in sizes.items():
            self.first[name], self.total = self.total, self.total + 2 * size

    def read(self, name: str, i: int) -> int:
        """Where number i of a part stands."""
        return self.first[name] + i

    def write(self, weights: Tensor, name: str, i: int, column: int, value: float) -> None:
        """Set what a column of weights [H, ...] adds to number i, and its negative."""
        weights[self.first[name] + i, column] = value
        weights[self.first[name] + self.sizes[name] + i, column] = -value


def built(layout: Layout, family: CueBinding, loudness: float) -> SequencePolicy:
    """The policy with its weights set."""
    cues, arms = family.n_cues, family.n_arms
    at = _Places(
        cue=cues, action=arms, reward=1, position=WAVES, before=cues, paid=arms, logit=arms, loud=1
    )
    size = max(WAVES, cues, arms)
    policy = SequencePolicy(
        observation_space(layout),
        action_space(layout),
        lambda _: 0.0,
        cell="transformer",
        cell_kwargs={
            "hidden_size": at.total,
            "n_heads": 2,
            "head_size": size,
            "max_length": family.horizon,
        },
        net_arch=[],
    )
    cell = policy.cell
    assert isinstance(cell, Transformer)
    with torch.no_grad():
        for weights in policy.parameters():
            weights.zero_()
        for module in cell.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.weight.fill_(1.0)
        _embed(cell, layout, at)
        on = math.tanh(STEEP) ** 2
        entered = 2 * (cues + arms + 1) * on + WAVES
        _copy_the_cue_before(cell, at, size, math.sqrt(entered / at.total))
        attended = entered + 2 * cues * on
        _note_what_paid(cell, at, math.sqrt(attended / at.total))
        _look_up_the_cue(cell, at, size, math.sqrt((attended + 2.0) / at.total), loudness)
        chosen: Any = policy.action_net
        for arm in range(arms):
            chosen.weight[arm, at.read("logit", arm)] = CERTAIN
        chosen.weight[0, at.read("loud", 0)], chosen.bias[0] = 1.0, -loudness
    return policy


def _embed(cell: Transformer, layout: Layout, at: _Places) -> None:
    """Each feature of 0 or 1 as -1 or 1; the first waves of the position."""
    for part, name in (("stimulus", "cue"), ("action", "action"), ("reward", "reward")):
        for i, column in enumerate(layout.indices([part])):
            at.write(cell.embed.weight, name, i, column, 2.0 * STEEP)
            at.write(cell.embed.bias[:, None], name, i, 0, -STEEP)
    for i in range(WAVES):
        at.write(cell.place.weight, "position", i, i, 1.0)


def _copy_the_cue_before(cell: Transformer, at: _Places, size: int, norm: float) -> None:
    """Layer 1 head 1: query the position before, copy the cue that stands there."""
    block: Any = cell.blocks[0]
    scale = NEAR * math.sqrt(size) * norm**2
    rates = torch.exp(-math.log(1e4) * torch.arange(0, at.total, 2) / at.total)
    width = 2 * size  # of both heads
    for pair in range(WAVES // 2):
        angle, i, j = float(rates[pair]), 2 * pair, 2 * pair + 1
        sine, cosine = at.read("position", i), at.read("position", j)
        # sin and cos of a position less one, by the addition theorem
        block.qkv.weight[i, sine] = scale * math.cos(angle)
        block.qkv.weight[i, cosine] = -scale * math.sin(angle)
        block.qkv.weight[j, cosine] = scale * math.cos(angle)
        block.qkv.weight[j, sine] = scale * math.sin(angle)
        block.qkv.weight[width + i, sine] = block.qkv.weight[width + j, cosine] = 1.0
    for cue in range(at.sizes["cue"]):
        block.qkv.weight[2 * width + cue, at.read("cue", cue)] = norm
        at.write(block.out.weight, "before", cue, cue, 1.0)


def _note_what_paid(cell: Transformer, at: _Places, norm: float) -> None:
    """Layer 1's perceptron: 1 for the action if it was rewarded, -1 if it was not, else 0."""
    block: Any = cell.blocks[0]
    _, first, _, second = block.perceptron
    for arm in range(at.sizes["action"]):
        for sign, unit in ((1.0, 2 * arm), (-1.0, 2 * arm + 1)):
            first.weight[unit, at.read("action", arm)] = norm
            first.weight[unit, at.read("reward", 0)] = sign * norm
            first.bias[unit] = -1.0
            at.write(second.weight, "paid", arm, unit, sign)


def _look_up_the_cue(
    cell: Transformer, at: _Places, size: int, norm: float, loudness: float
) -> None:
    """Layer 2 head 1: query the cue, among those copied; head 2 writes a constant."""
    block: Any = cell.blocks[1]
    scale, width = ALIKE * math.sqrt(size) * norm**2, 2 * size
    for cue in range(at.sizes["cue"]):
        block.qkv.weight[cue, at.read("cue", cue)] = scale / 4.0
        block.qkv.weight[width + cue, at.read("before", cue)] = 1.0
    for arm in range(at.sizes["action"]):
        block.qkv.weight[2 * width + arm, at.read("paid", arm)] = norm
        at.write(block.out.weight, "logit", arm, arm, 1.0)
    block.qkv.bias[2 * width + size] = loudness
    at.write(block.out.weight, "loud", 0, size, 1.0)
