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

Objective = Callable[[Tensor, Tensor, float], Tensor]
"""What the policy maximises, [N, k]: of the logarithm of the ratio of the probabilities of the
actions taken, now and before the update, and of the advantages, [N, k] each; and the clip range."""


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


def advantage(log_ratio: Tensor, advantages: Tensor, clip_range: float) -> Tensor:
    """The policy gradient's, A log pi but for a constant (Williams 1992; Mnih et al. 2016)."""
    return advantages * log_ratio


def clipped(log_ratio: Tensor, advantages: Tensor, clip_range: float) -> Tensor:
    """PPO's clipped surrogate (Schulman et al. 2017, equation 7)."""
    ratio = log_ratio.exp()
    bounded = ratio.clamp(1 - clip_range, 1 + clip_range)
    return torch.min(ratio * advantages, bounded * advantages)


OBJECTIVES: Mapping[str, Objective] = {"actor_critic": advantage, "ppo": clipped}
"""What the policy maximises, by the name of the loss."""


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


def losses(
    logits: Tensor,
    values: Tensor,
    terms: Terms,
    loss: str,
    vf_coef: float,
    ent_coef: float,
    clip_range: float,
) -> Tensor:
    """Each row's mean loss over its steps, [N].

    Args:
        logits: [N, k, K], as they are now.
        values: [N, k], as they are now.
        terms: of the update.
        loss: a name in :data:`OBJECTIVES`.
        vf_coef: weight of the critic's squared error.
        ent_coef: weight of the policy's entropy.
        clip_range: of PPO.
    """
    log_probs = logits.log_softmax(dim=-1)
    log_ratio = taken(log_probs, terms.actions) - terms.log_probs
    objective = OBJECTIVES[loss](log_ratio, terms.advantages, clip_range)
    entropy = -(log_probs.exp() * log_probs).sum(dim=-1)
    error = (terms.returns - values).square()
    return (vf_coef * error - objective - ent_coef * entropy).mean(dim=1)
