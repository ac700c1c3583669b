"""Rollouts kept in time order, and handed out as whole sequences."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer
from torch import Tensor

from metalocus.agents.cells.base import Carry

Array = np.ndarray[Any, Any]
MANY = 32
"""Environments from which the mean of the others is a good enough baseline: with N of them, its
own noise adds a share 1 / (N - 1) to the advantages' variance, here 3 per cent."""


@dataclass(frozen=True)
class Sequences:
    """B environments' whole rollouts; tensors are [T, B, ...], carry is [B, ...].

    ``earned`` are the rewards as the environment gave them.
    """

    obs: Tensor
    actions: Tensor
    starts: Tensor
    values: Tensor
    log_probs: Tensor
    advantages: Tensor
    returns: Tensor
    earned: Tensor
    carry: Carry


class SequenceBuffer(RolloutBuffer):
    """SB3's rollout buffer, whose minibatches are sets of environments over all of time.

    Every sequence has the rollout's length, so nothing is padded; where episodes begin
    inside it is told by ``starts``. ``carry`` is what was carried into the rollout, ``earned`` the
    rewards before they are scaled, and ``in_step`` whether all episodes have started together so
    far.
    """

    carry: Carry
    earned: Array
    in_step = True
    holds: ClassVar[type[Sequences]] = Sequences

    def reset(self) -> None:
        """Empty all arrays; continuous actions are kept as the policy drew them, in float32."""
        super().reset()
        if isinstance(self.action_space, spaces.Box):
            self.actions = self.actions.astype(np.float32)

    def sequences(self, n_sequences: int) -> Generator[Sequences]:
        """A pass over all environments in random order, about ``n_sequences`` at a time.

        All minibatches are of equal size, but for one sequence: a small remnant would have a
        noisy gradient and yet take a step as large as the others.

        Args:
            n_sequences: environments in a minibatch.

        Yields:
            Minibatches that together hold every environment once.
        """
        arrays = self.arrays()
        order = torch.randperm(self.n_envs).numpy()
        n_batches = max(1, round(self.n_envs / n_sequences))
        for rows in np.array_split(order, n_batches):
            chosen = slice(None) if n_batches == 1 else rows
            tensors = {name: self.to_torch(array[:, chosen]) for name, array in arrays.items()}
            carry = {name: value[chosen] for name, value in self.carry.items()}
            yield self.holds(**tensors, carry=carry)

    def arrays(self) -> dict[str, Array]:
        """What minibatches are made of, [T, N, ...] each, by the names in ``holds``."""
        return {
            "obs": self.observations,
            "actions": self._shaped_actions(),
            "starts": self.episode_starts,
            "values": self.values,
            "log_probs": self.log_probs,
            "advantages": self.advantages,
            "returns": self.returns,
            "earned": self.earned,
        }

    def center_advantages(self) -> None:
        """Subtract the mean of the other environments' advantages at the same step.

        Returns are made advantages plus values again, so that the critic learns values relative
        to that mean. Nothing is done with fewer than ``MANY`` environments, nor once episodes
        have started at different steps.
        """
        starts, n = self.episode_starts, self.n_envs
        self.in_step = self.in_step and bool((starts == starts[:, :1]).all())
        if self.in_step and n >= MANY:
            centered = self.advantages - self.advantages.mean(axis=1, keepdims=True)
            self.advantages = centered * np.float32(n / (n - 1))
            self.returns = self.advantages + self.values

    def to_torch(self, array: Array, copy: bool = False) -> Tensor:
        """On the training device, without a copy where none is needed."""
        return torch.as_tensor(array, device=self.device)

    def _shaped_actions(self) -> Array:
        """Actions without SB3's extra axis for discrete ones, [T, N] or [T, N, A]."""
        if not self.action_space.shape:
            return self.actions[..., 0]
        return self.actions.astype(np.float32, copy=False)  # no log-probability takes bytes
