"""Reinforcement learning online: every replica updates weights of its own, which never go back.

The rule is that of :mod:`metalocus.agents.replicas.learning`. Each environment has a network of
its own, so that as many independent runs are trained as there are environments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metalocus.agents.replicas.learning import Rule
from metalocus.agents.trainers.base import Trainer
from metalocus.envs.checks import require, require_number

REPLICAS = 64
"""Of each learning rate, where their number is not given: the standard error of a mean over them
is an eighth of their standard deviation."""


@dataclass(frozen=True)
class OnlineTraining(Rule):
    """An actor–critic or PPO that updates each replica's own weights every few steps.

    Args:
        interval: environment steps from one update to the next.
        loss: ``actor_critic`` (Mnih et al. 2016) or ``ppo`` (Schulman et al. 2017).
        optimizer: ``sgd``, ``rmsprop`` or ``adam``.
        gamma: discount.
        vf_coef: weight of the critic's squared error.
        ent_coef: weight of the policy's entropy.
        max_grad_norm: each replica's gradient is shortened to this length.
        n_epochs: of PPO, passes over the steps of an update.
        clip_range: of PPO.
        rate: the learning rate, or a list of rates, each of which as many replicas have.

    Raises:
        InvalidTask: a setting is impossible.
    """

    rate: float | Sequence[float] = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.different) > 0, "rate must be a number or a list of numbers, got []")
        for each in self.different:
            require_number("rate", each, 0.0)

    @property
    def different(self) -> list[float]:
        """The different rates."""
        return list(self.rate) if isinstance(self.rate, Sequence) else [self.rate]

    def rates(self, n: int) -> list[float]:
        """The rate of every one of n replicas: all of the first, then all of the second, ...

        Raises:
            InvalidTask: n is no multiple of the number of rates.
        """
        several = len(self.different)
        require(n % several == 0, f"n_envs must be a multiple of the {several} rates, got {n}")
        return [rate for rate in self.different for _ in range(n // several)]


TRAINER = Trainer(
    "online",
    "every environment's own network learns every few steps, also in its test episodes",
    None,
    takes=(OnlineTraining,),
)
