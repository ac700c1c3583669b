"""Actor and critic with eligibility traces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Store, Stores
from metalocus.agents.online.learner import OnlineLearner, linear, softmax
from metalocus.agents.online.policy_gradient import log_gradient

TRACES = ("actor_trace", "critic_trace")


@dataclass(frozen=True)
class ActorCriticSettings:
    """Constants of the rule.

    Attributes:
        actor_rate, critic_rate: step sizes.
        discount: of later rewards, below 1.
        trace: share of a trace that is left after a trial, beside the discount (lambda).
        mean_reward: that the critic expects at first.
        bound: greatest absolute value of an actor's weight.
    """

    actor_rate: float
    critic_rate: float
    discount: float
    trace: float
    mean_reward: float
    bound: float


class ActorCritic(OnlineLearner[ActorCriticSettings]):
    """A softmax actor and a linear critic, both moved along traces by the critic's surprise.

    The surprise r + discount V(x') - V(x) needs what the transition led to, so both move
    when the next stimulus x' is seen, before the next choice. Sutton & Barto 2018,
    "Reinforcement learning", section 13.5 (actor-critic with eligibility traces), without
    its discount of an episode's later steps.
    """

    name: ClassVar[str] = "actor_critic"
    summary: ClassVar[str] = "online: actor and critic with eligibility traces"
    tuned = {  # best of 400 tried on each task by metalocus.experiments.bench.tune_online
        ("BernoulliBandit-v0", 2): ActorCriticSettings(
            actor_rate=2.6,
            critic_rate=0.0123,
            discount=0.137,
            trace=0.0,
            mean_reward=0.544,
            bound=np.inf,
        ),
        ("BernoulliBandit-v0", 5): ActorCriticSettings(
            actor_rate=2.02,
            critic_rate=0.00361,
            discount=0.19,
            trace=0.0,
            mean_reward=0.674,
            bound=np.inf,
        ),
        ("BernoulliBandit-v0", 10): ActorCriticSettings(
            actor_rate=4.09,
            critic_rate=0.00344,
            discount=0.302,
            trace=0.159,
            mean_reward=0.736,
            bound=np.inf,
        ),
        ("ReversalBandit-v0", 2): ActorCriticSettings(
            actor_rate=6.01,
            critic_rate=0.00727,
            discount=0.0,
            trace=0.578,
            mean_reward=0.819,
            bound=1.53,
        ),
    }

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """A uniform actor, a constant critic and no traces."""
        settings = self.settings
        critic = np.zeros((n, 1 + self.family.stimulus_size))
        critic[:, 0] = settings.mean_reward / (1.0 - settings.discount)
        actor = self.fresh_weights(n)
        traces = dict(zip(TRACES, (np.zeros_like(actor), np.zeros_like(critic)), strict=True))
        weights = {"actor": actor, "critic": critic, **traces, "surprise": np.zeros(n)}
        return Stores(weights=weights)

    def settle(self, weights: Store, x: Array) -> Store:
        """Learn from what the last transition led to."""
        return self.move(weights, (x * weights["critic"]).sum(axis=1))

    def choose(self, weights: Store, x: Array) -> Array:
        """Softmax of the actor."""
        return softmax(linear(x, weights["actor"]))

    def update(self, weights: Store, x: Array, action: Array, reward: Array) -> Store:
        """Lengthen the traces, and note the surprise as far as it is known."""
        left = self.settings.discount * self.settings.trace
        gradient = log_gradient(x, weights["actor"], action)
        return {
            **weights,
            "actor_trace": left * weights["actor_trace"] + gradient,
            "critic_trace": left * weights["critic_trace"] + x,
            "surprise": reward - (x * weights["critic"]).sum(axis=1),
        }

    def move(self, weights: Store, value: Array) -> Store:
        """Actor and critic moved along their traces, where the transition led to a value [N]."""
        settings, bound = self.settings, self.settings.bound
        surprise = weights["surprise"] + settings.discount * value
        actor = settings.actor_rate * surprise[:, None, None] * weights["actor_trace"]
        critic = settings.critic_rate * surprise[:, None] * weights["critic_trace"]
        return {
            **weights,
            "actor": np.clip(weights["actor"] + actor, -bound, bound),
            "critic": weights["critic"] + critic,
        }

    def carry_on(self, weights: Store) -> Store:
        """Moved by the last transition, which led to nothing; then without traces."""
        moved = self.move(weights, np.zeros_like(weights["surprise"]))
        ended = {name: np.zeros_like(moved[name]) for name in (*TRACES, "surprise")}
        return {**moved, **ended}
