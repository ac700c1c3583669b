"""A running scale for rewards."""

from __future__ import annotations

from typing import Any

import numpy as np


class RewardScale:
    """Standard deviation of the discounted return so far, over all environments and steps.

    The return of an environment runs on from rollout to rollout and begins anew with each
    episode, as in SB3's ``VecNormalize``; moments are pooled by Chan et al. 1979, "Updating
    formulae and a pairwise algorithm for computing sample variances".

    Args:
        n_envs: environments N.
    """

    def __init__(self, n_envs: int) -> None:
        self.running = np.zeros(n_envs)
        self.count, self.mean, self.sum_squares = 0.0, 0.0, 0.0

    def update(
        self, rewards: np.ndarray[Any, Any], starts: np.ndarray[Any, Any], gamma: float
    ) -> float:
        """Take in a rollout.

        Args:
            rewards: [T, N].
            starts: 1 where a step is the first of its episode, [T, N].
            gamma: discount.

        Returns:
            The scale to divide rewards by; 1 while all returns are equal.
        """
        returns = np.empty(rewards.shape)
        for t, reward in enumerate(rewards):
            self.running = gamma * self.running * (1.0 - starts[t]) + reward
            returns[t] = self.running
        count, mean = returns.size, float(returns.mean())
        total, delta = self.count + count, mean - self.mean
        self.sum_squares += float(((returns - mean) ** 2).sum())
        self.sum_squares += delta**2 * self.count * count / total
        self.mean += delta * count / total
        self.count = total
        return float(np.sqrt(self.sum_squares / self.count)) or 1.0
