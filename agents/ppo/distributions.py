"""A categorical action distribution without the overhead of argument checks."""

from __future__ import annotations

import torch
from stable_baselines3.common.distributions import CategoricalDistribution
from torch import Tensor, nn


class Categorical(CategoricalDistribution):
    """SB3's categorical distribution, computed directly from log-probabilities [..., K].

    Args:
        n_actions: K.
        logits: [..., K].
    """

    def __init__(self, n_actions: int, logits: Tensor) -> None:
        super().__init__(n_actions)
        self.proba_distribution(logits)

    def proba_distribution(self, action_logits: Tensor) -> Categorical:
        """Set the distribution from logits [..., K]."""
        actions_first = action_logits.movedim(-1, 0)  # several times as fast for few actions
        self.log_probs = torch.log_softmax(actions_first, dim=0).movedim(0, -1)
        return self

    def log_prob(self, actions: Tensor) -> Tensor:
        """Log-probabilities of actions [...]."""
        return self.log_probs.gather(-1, actions.long().unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """Entropy in nats, [...]."""
        return -(self.log_probs.exp() * self.log_probs).sum(dim=-1)

    def sample(self) -> Tensor:
        """Actions [...], by inversion of one uniform number each."""
        cumulative = self.log_probs.exp().cumsum(dim=-1)
        u = torch.rand_like(cumulative[..., :1]) * cumulative[..., -1:]
        return (u >= cumulative[..., :-1]).sum(dim=-1)

    def mode(self) -> Tensor:
        """Most probable actions [...]."""
        return self.log_probs.argmax(dim=-1)


class LogitsAsGiven(CategoricalDistribution):
    """SB3's categorical distribution over actions whose logits are the first K features."""

    def proba_distribution_net(self, latent_dim: int) -> nn.Module:
        """Features [..., latent_dim] -> logits [..., K]; nothing to train."""
        return _First(self.action_dim)


class _First(nn.Module):
    """The first features, [..., D] -> [..., K]."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return x[..., : self.size]
