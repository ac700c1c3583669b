"""What PPO minimises on a batch of steps."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from metalocus.agents.ppo.buffer import Sequences
from metalocus.agents.ppo.policy import Evaluation


class Parts(NamedTuple):
    """Losses of the policy, the critic and the entropy, then how far the policy has moved: its
    divergence from the one that played (Schulman 2020, estimator k3), and the share of steps at
    which its change was clipped. All are numbers []."""

    policy: Tensor
    value: Tensor
    entropy: Tensor
    kl: Tensor
    clipped: Tensor


def objective(
    now: Evaluation,
    batch: Sequences,
    clip: float,
    clip_values: float | None,
    normalize: bool,
    all_action_coef: float,
) -> Parts:
    """Schulman et al. 2017, "Proximal policy optimization algorithms", equations 7 and 9.

    With action values the policy also climbs the mean value of all its actions, in the
    advantages' units (Allen et al. 2017, "Mean actor critic").

    Args:
        now: the policy as it is, on the batch.
        batch: what was played, with the advantages and returns of that time.
        clip: greatest change of a probability's ratio that is rewarded.
        clip_values: greatest change of a value, None for any.
        normalize: take advantages relative to their mean, in standard deviations.
        all_action_coef: weight of the mean value.
    """
    advantages, returns = batch.advantages.flatten(), batch.returns.flatten()
    spread = torch.ones(())
    if normalize and advantages.numel() > 1:
        spread = advantages.std() + 1e-8
        advantages = (advantages - advantages.mean()) / spread
    log_ratio = now.log_prob - batch.log_probs.flatten()
    ratio = log_ratio.exp()
    bounded = ratio.clamp(1 - clip, 1 + clip)
    policy = -torch.min(advantages * ratio, advantages * bounded).mean()
    if now.policy_value is not None:
        policy = policy - all_action_coef * (now.policy_value / spread).mean()
    values = now.values
    if clip_values is not None:
        old = batch.values.flatten()
        values = old + (values - old).clamp(-clip_values, clip_values)
    entropy = now.log_prob.mean() if now.entropy is None else -now.entropy.mean()
    with torch.no_grad():
        kl = (ratio - 1 - log_ratio).mean()
        clipped = ((ratio - 1).abs() > clip).float().mean()
    return Parts(policy, F.mse_loss(returns, values), entropy, kl, clipped)
