"""Prediction beside the policy: a head that tells the next reward and the next stimulus.

An agent that predicts what follows its choices has to represent what it believes of the task, even
where the return would come without (Kuo et al. 2025, arXiv 2510.22039). The head reads the cell's
features and the action taken, and its loss is the negative log-likelihood of what followed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import get_action_dim
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn
from torch.nn import functional as F

from metalocus.envs.layout import Layout
from metalocus.envs.sb3 import BatchVecEnv

LOG_ROOT_2_PI = math.log(2 * math.pi) / 2
LEAST_SPREAD = 1e-2
"""Of a predicted normal distribution: what is known for certain would have an infinite density."""


class Predictor(nn.Module):
    """The head: from features and actions the distribution of the next reward and observation.

    Of finitely many actions each has outputs of its own, as in the critic; others are inputs.

    What lies between 0 and 1 is predicted by its mean p, with the log loss of a Bernoulli
    distribution, whose least is at the true mean for any such number. All else is normal, with a
    mean by the history and a standard deviation that is trained and common to all histories.

    Args:
        size: of the features H.
        actions: the action space.
        hidden: units.
        positions: of the flattened observation that are predicted, P.
        bounded: whether the reward, and each of these, lies between 0 and 1, [1 + P].
    """

    def __init__(
        self,
        size: int,
        actions: spaces.Space[Any],
        hidden: int,
        positions: Sequence[int],
        bounded: Sequence[bool],
    ) -> None:
        super().__init__()
        self.positions, self.bounded = list(positions), list(bounded)
        self.n_actions = int(actions.n) if isinstance(actions, spaces.Discrete) else 0
        seen = size if self.n_actions else size + get_action_dim(actions)
        told = max(self.n_actions, 1) * len(self.bounded)
        self.layers = nn.Sequential(nn.Linear(seen, hidden), nn.Tanh(), nn.Linear(hidden, told))
        self.log_spread = nn.Parameter(torch.zeros(len(self.bounded)))

    def forward(self, features: Tensor, actions: Tensor) -> Tensor:
        """Log-odds or mean of the reward and each position, [B, 1 + P].

        Args:
            features: [B, H].
            actions: taken, [B] or [B, A].
        """
        if not self.n_actions:
            features = torch.cat([features, actions.to(features.dtype)], dim=1)
        by_action: Tensor = self.layers(features).view(len(features), -1, len(self.bounded))
        if not self.n_actions:
            return by_action[:, 0]
        return by_action.take_along_dim(actions.long()[:, None, None], dim=1)[:, 0]

    def means(self, predicted: Tensor) -> Tensor:
        """What is expected, from what :meth:`forward` gave, same shape."""
        bounded = torch.tensor(self.bounded, device=predicted.device)
        return torch.where(bounded, predicted.sigmoid(), predicted)

    def losses(self, predicted: Tensor, found: Tensor, first: int) -> Tensor:
        """Negative log-likelihood of each number, [B, Q].

        Args:
            predicted: of Q of the quantities, [B, Q].
            found: what followed, [B, Q].
            first: the number of the first of them.
        """
        own = slice(first, first + predicted.shape[1])
        bounded = torch.tensor(self.bounded[own], device=predicted.device)
        spread = self.log_spread[own].exp().clamp(min=LEAST_SPREAD)
        normal = ((found - predicted) / spread).square() / 2 + spread.log() + LOG_ROOT_2_PI
        inside = found.clamp(0.0, 1.0)
        bernoulli = F.binary_cross_entropy_with_logits(predicted, inside, reduction="none")
        return torch.where(bounded, bernoulli, normal)

    def loss(self, predicted: Tensor, rewards: Tensor, obs: Tensor, starts: Tensor) -> Tensor:
        """Mean loss of the rewards, and that of the observations within episodes, added up.

        Args:
            predicted: from :meth:`forward`, [T * B, 1 + P].
            rewards: of the actions, [T, B].
            obs: before the actions, [T, B, *D].
            starts: 1 where an episode starts, [T, B].

        Returns:
            a number [].
        """
        reward = self.losses(predicted[:, :1], rewards.flatten()[:, None], 0).mean()
        within = starts[1:] == 0
        if not self.positions or not within.any():
            return reward
        steps, n = starts.shape
        seen = obs.flatten(2)[1:, :, self.positions].to(predicted.dtype)
        ahead = predicted.view(steps, n, -1)[:-1, :, 1:]
        return reward + self.losses(ahead[within], seen[within], 1).mean()


def predicts_in(layout: Layout) -> dict[str, Any]:
    """What is predicted of the observations of a layout: the stimulus; arguments, JSON-able."""
    low, high = layout.bounds()
    return _arguments(layout.indices(["stimulus"]), low, high, layout.family.reward_range)


def predicts_of(env: VecEnv) -> dict[str, Any]:
    """What is predicted in an environment: of one that is not ours, all of its observation."""
    if isinstance(env.unwrapped, BatchVecEnv):
        return predicts_in(env.unwrapped.layout)
    space, unknown = env.observation_space, (-np.inf, np.inf)
    if not isinstance(space, spaces.Box):
        return _arguments([], np.empty(0), np.empty(0), unknown)
    low, high = space.low.flatten(), space.high.flatten()
    return _arguments(list(range(len(low))), low, high, unknown)


def _arguments(
    positions: Sequence[int],
    low: np.ndarray[Any, Any],
    high: np.ndarray[Any, Any],
    reward_range: tuple[float, float],
) -> dict[str, Any]:
    """The arguments of :class:`Predictor` that tell what is predicted, JSON-able."""
    ranges = [reward_range, *((low[i], high[i]) for i in positions)]
    bounded = [bool(least >= 0.0 and most <= 1.0) for least, most in ranges]
    return {"positions": list(positions), "bounded": bounded}
