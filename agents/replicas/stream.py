"""Replicas in their environments: episode after episode, without end."""

from __future__ import annotations

import numpy as np
import torch

from metalocus.agents.agent import Array
from metalocus.agents.replicas.learning import Learning, Weights
from metalocus.agents.rollout import choose
from metalocus.agents.trained.frozen import probabilities
from metalocus.envs import Episodes


class Stream:
    """N replicas, each in an environment of its own.

    Args:
        learning: how they learn.
        weights: theirs; replaced by new ones as they learn.
        episodes: N rows, at their first trial.

    Attributes:
        n_episodes: played so far in every row.
    """

    def __init__(self, learning: Learning, weights: Weights, episodes: Episodes) -> None:
        self.learning, self.weights, self.episodes = learning, weights, episodes
        self.n_episodes = 0

    def go_on(self, weights: Weights, n_episodes: int) -> None:
        """Stand where a stream of the same environments stood after so many episodes."""
        self.weights, self.n_episodes = weights, n_episodes
        self.episodes.number += n_episodes - 1
        self.episodes.reset()

    def play(self) -> Array:
        """One episode in every row, learning on the way; its return, [N]."""
        weights, carry = self.learning.begin(self.weights)
        total = np.zeros(len(self.episodes))
        for t in range(self.episodes.family.horizon):
            obs = torch.from_numpy(self.episodes.observation())
            features, weights, carry = self.learning.take_in(weights, obs, carry)
            probs = probabilities(self.learning.log_probs(weights, features))
            action = choose(probs, self.episodes.crn.uniform("policy", t))
            reward, _ = self.episodes.step(action)
            weights = self.learning.record(
                weights, obs, torch.from_numpy(action), torch.from_numpy(reward)
            )
            total += reward
        self.weights = weights
        self.episodes.reset()
        self.n_episodes += 1
        return total
