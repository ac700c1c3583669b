"""Inside a transformer: the heads' outputs, edits of them, and scores of what they attend to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from metalocus.agents.agent import Agent, Array
from metalocus.agents.cells.transformer import Transformer
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.trained.frozen import TrainedAgent, probabilities

Head = tuple[int, int]
"""Layer and number within it, both counted from 0."""


class Heads:
    """The attention heads of a trained transformer, over whole episodes from their start.

    Args:
        agent: whose cell is a :class:`~metalocus.agents.cells.transformer.Transformer`.
    """

    def __init__(self, agent: TrainedAgent) -> None:
        self.policy: SequencePolicy = agent.policy
        cell = self.policy.cell
        assert isinstance(cell, Transformer)  # the caller has looked
        self.cell, self.blocks = cell, cell._blocks()
        n_heads = self.blocks[0].n_heads
        self.size = self.blocks[0].width // n_heads
        self.all: list[Head] = [(i, j) for i in range(len(self.blocks)) for j in range(n_heads)]

    def inputs(self, observations: Array) -> Tensor:
        """What reaches the cell of observations, [T, N, D] -> [T, N, I]."""
        x = torch.from_numpy(observations)
        return x if self.policy.inputs is None else x[..., self.policy.inputs]

    def run(
        self, x: Tensor, added: Mapping[int, Tensor] | None = None
    ) -> tuple[Array, list[Tensor]]:
        """Action probabilities [T, N, K] and what each layer's heads give, [N, T, A * D] each.

        Args:
            x: inputs [T, N, I].
            added: to the output of a layer's attention, [N, T, H].
        """
        given, hooks = list[Tensor](), []
        for layer, block in enumerate(self.blocks):
            hooks.append(block.out.register_forward_pre_hook(partial(_keep, given)))
            if added and layer in added:
                hooks.append(block.out.register_forward_hook(partial(_add, added[layer])))
        try:
            with torch.no_grad():
                features, _ = self.cell(x, _starts(x), self.cell.initial(x.shape[1]))
                flat = features.reshape(-1, features.shape[-1])
                log_probs = self.policy.read_out(flat, flat)[0].log_probs  # type: ignore[attr-defined]
        finally:
            for hook in hooks:
                hook.remove()
        return probabilities(log_probs).reshape(*x.shape[:2], -1), given

    def written(self, given: list[Tensor], head: Head) -> Tensor:
        """What a head adds to the residual stream, [N, T, H]."""
        layer, which = head
        part = slice(which * self.size, (which + 1) * self.size)
        with torch.no_grad():
            written: Tensor = given[layer][..., part] @ self.blocks[layer].out.weight[:, part].T
        return written

    def attention(self, x: Tensor) -> Array:
        """Of whole episodes, [L, N, A, T, T]."""
        with torch.no_grad():
            attention: Array = self.cell.activations(x, _starts(x)).attention.numpy()
        return attention

    def attention_with_keys_of(self, x: Tensor, head: Head, change: Tensor) -> Array:
        """A head's attention [N, T, T] when its keys are read off a changed stream.

        Args:
            x: inputs [T, N, I].
            head: whose queries are as they were.
            change: added to the residual stream before the head's block, [N, T, H].
        """
        layer, which = head
        block, part = self.blocks[layer], slice(which * self.size, (which + 1) * self.size)
        with torch.no_grad():
            inside = self.cell.activations(x, _starts(x))
            stream = inside.residual[2 * layer].transpose(0, 1)
            q, fresh = block._project(stream)
            q, moved = q[..., part], block._project(stream + change)[1] - fresh
            keys = inside.keys[layer][..., part] + moved[..., part]
            scores = q @ keys.transpose(1, 2) / math.sqrt(self.size)
            future = torch.ones(scores.shape[1:], dtype=torch.bool).triu(1)
            attention: Array = scores.masked_fill(future, -math.inf).softmax(dim=-1).numpy()
        return attention


def heads_of(agent: Agent) -> Heads | None:
    """The heads inside an agent; None unless it is a transformer of this package."""
    if isinstance(agent, TrainedAgent) and isinstance(agent.policy.cell, Transformer):
        return Heads(agent)
    return None


def previous_token(tokens: Array) -> Array:
    """1 where a step would look at the one before it, [N, T] -> [N, T, T].

    This and the next two are the detection patterns of TransformerLens (``head_detector``).
    """
    n, steps = tokens.shape
    return np.tile(np.eye(steps, k=-1), (n, 1, 1))


def duplicate_token(tokens: Array) -> Array:
    """1 where a step would look at an earlier one with the same token, [N, T] -> [N, T, T]."""
    same: Array = np.tril(tokens[:, :, None] == tokens[:, None], k=-1).astype(np.float64)
    return same


def prefix_matching(tokens: Array) -> Array:
    """1 where a step would look at one that follows its token, [N, T] -> [N, T, T]."""
    pattern = np.zeros((*tokens.shape, tokens.shape[1]))
    pattern[:, :, 1:] = duplicate_token(tokens)[:, :, :-1]
    return np.tril(pattern)


def head_score(attention: Array, pattern: Array, first: int = 0) -> Array:
    """The part of a head's attention that a pattern allows, [..., T, T] -> [...].

    The measure ``mul`` of TransformerLens: sum of attention times pattern over sum of attention.

    Args:
        attention: [..., T, T].
        pattern: of zeros and ones.
        first: step from which on it is scored.
    """
    seen = attention[..., first:, :]
    score: Array = (seen * pattern[..., first:, :]).sum(axis=(-2, -1)) / seen.sum(axis=(-2, -1))
    return score


def _keep(given: list[Tensor], _module: nn.Module, args: tuple[Tensor]) -> None:
    given.append(args[0])


def _add(change: Tensor, _module: nn.Module, _args: Any, out: Tensor) -> Tensor:
    return out + change


def _starts(x: Tensor) -> Tensor:
    """1 at the first step, [T, N]."""
    starts = torch.zeros(x.shape[:2])
    starts[0] = 1.0
    return starts
