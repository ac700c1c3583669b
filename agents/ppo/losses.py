"""What PPO minimises on a batch of steps."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from metalocus.agents.ppo.buffer import Sequences
from metalocus.agents.ppo.policy import Evaluation


class Losses(NamedTuple):
    """The terms of PPO's loss on a batch, and how far the policy has moved; all are numbers [].

    Attributes:
        policy: clipped surrogate objective, negative, with the all-action term.
        value: mean squared error of the critic.
        entropy: mean entropy of the policy, negative.
        kl: estimate of the divergence from the policy that played (Schulman 2020,
            "Approximating KL divergence", estimator k3).
        clipped: share of the steps at which the probability ratio was clipped.
    """

    policy: Tensor
    value: Tensor
    entropy: Tensor
    kl: Tensor
    clipped: Tensor


def ppo_losses(
    now: Evaluation,
    batch: Sequences,
    clip_range: float,
    clip_range_vf: float | None,
    normalize_advantage: bool,
    all_action_coef: float,
) -> Losses:
    """Schulman et al. 2017, "Proximal policy optimization algorithms", equations 7 and 9.

    With r the ratio of the probabilities of the actions taken, now and when they were taken, and
    A their advantages, the policy minimises

        -mean(min(r A, clip(r, 1 - clip_range, 1 + clip_range) A))

    With action values it also maximises the mean value of all its actions, in the advantages'
    units (Allen et al. 2017, "Mean actor critic").

    Args:
        now: the policy as it is, on the batch.
        batch: what was played, with the advantages and returns of that time.
        clip_range: greatest change of a probability ratio that is rewarded.
        clip_range_vf: greatest change of a value, None for any.
        normalize_advantage: take advantages relative to their mean, in standard deviations.
        all_action_coef: weight of the mean value of all actions.

    Returns:
        The terms, to be weighted and summed.
    """
    advantages, returns = batch.advantages.flatten(), batch.returns.flatten()
    spread = torch.ones(())
    if normalize_advantage and advantages.numel() > 1:
        spread = advantages.std() + 1e-8
        advantages = (advantages - advantages.mean()) / spread
    log_ratio = now.log_prob - batch.log_probs.flatten()
    ratio = log_ratio.exp()
    bounded = ratio.clamp(1 - clip_range, 1 + clip_range)
    policy = -torch.min(advantages * ratio, advantages * bounded).mean()
    if now.policy_value is not None:
        policy = policy - all_action_coef * (now.policy_value / spread).mean()
    values = now.values
    if clip_range_vf is not None:
        old = batch.values.flatten()
        values = old + (values - old).clamp(-clip_range_vf, clip_range_vf)
    entropy = now.log_prob.mean() if now.entropy is None else -now.entropy.mean()
    with torch.no_grad():
        kl = (ratio - 1 - log_ratio).mean()
        clipped = ((ratio - 1).abs() > clip_range).float().mean()
    return Losses(policy, F.mse_loss(returns, values), entropy, kl, clipped)
