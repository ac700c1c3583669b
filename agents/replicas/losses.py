"""What a replica minimises on the transitions since its last update; one loss a row.

Returns reach to the update interval's end, where the value of the observation that follows stands
for what comes later (Mnih et al. 2016, "Asynchronous methods for deep reinforcement learning",
algorithm S3):

    R_t = r_t + gamma (1 - last_t) R_{t+1},   R_k = V(o_k),   A_t = R_t - V(o_t)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

Slope = Callable[[Tensor, Tensor, float], Tensor]
"""Derivative of what the policy maximises, by the logarithm of the probability of the action taken,
[N, k]: from the ratio of that probability to the one before the update, and from the advantage,
[N, k] each; and the clip range."""


def returns(rewards: Tensor, last: Tensor, after: Tensor, gamma: float) -> Tensor:
    """Discounted returns R_t, [N, k].

    Args:
        rewards: [N, k].
        last: whether a step is the last of its episode, [N, k].
        after: value of the observation after the last step, [N].
        gamma: discount.
    """
    found = torch.empty_like(rewards)
    kept = gamma * (~last).to(rewards.dtype)
    for t in reversed(range(rewards.shape[1])):
        found[:, t] = after = rewards[:, t] + kept[:, t] * after
    return found


def advantage(ratio: Tensor, advantages: Tensor, clip_range: float) -> Tensor:
    """The policy gradient's: of A log pi (Williams 1992; Mnih et al. 2016)."""
    return advantages


def clipped(ratio: Tensor, advantages: Tensor, clip_range: float) -> Tensor:
    """PPO's: of the clipped surrogate (Schulman et al. 2017, equation 7)."""
    beyond = torch.where(advantages > 0, ratio > 1 + clip_range, ratio < 1 - clip_range)
    return (ratio * advantages).masked_fill(beyond, 0.0)


SLOPES: Mapping[str, Slope] = {"actor_critic": advantage, "ppo": clipped}
"""By the name of the loss."""


@dataclass(frozen=True)
class Terms:
    """What does not change over the passes of one update, [N, k] each.

    Attributes:
        actions: taken.
        log_probs: theirs, before the update.
        returns: R_t.
        advantages: A_t.
    """

    actions: Tensor
    log_probs: Tensor
    returns: Tensor
    advantages: Tensor


def taken(log_probs: Tensor, actions: Tensor) -> Tensor:
    """Log-probabilities of the actions taken [N, k], out of those of all [N, k, K]."""
    return log_probs.gather(-1, actions[..., None])[..., 0]


def gradients(
    logits: Tensor,
    values: Tensor,
    terms: Terms,
    loss: str,
    vf_coef: float,
    ent_coef: float,
    clip_range: float,
) -> tuple[Tensor, Tensor]:
    """Gradients of each row's mean loss over its steps, at logits [N, k, K] and values [N, k].

    With slope s_t of what the policy maximises, and H_t = - sum_a pi(a) log pi(a),

        dL/dlogits_t(a) = [s_t (pi(a) - [a = a_t]) + c_ent pi(a) (log pi(a) + H_t)] / k
        dL/dvalue_t = 2 c_vf (V_t - R_t) / k

    Args:
        logits: as they are now.
        values: as they are now.
        terms: of the update.
        loss: a name in :data:`SLOPES`.
        vf_coef: weight of the critic's squared error.
        ent_coef: weight of the policy's entropy.
        clip_range: of PPO.
    """
    k, log_probs = values.shape[1], logits.log_softmax(dim=-1)
    probs, actions = log_probs.exp(), terms.actions[..., None]
    ratio = (taken(log_probs, terms.actions) - terms.log_probs).exp()
    slope = (SLOPES[loss](ratio, terms.advantages, clip_range) / k)[..., None]
    entropy = -(probs * log_probs).sum(dim=-1, keepdim=True)
    at_logits = probs * torch.add(slope, log_probs + entropy, alpha=ent_coef / k)
    at_values = (values - terms.returns).mul_(2 * vf_coef / k)
    return at_logits.scatter_add_(-1, actions, -slope), at_values
