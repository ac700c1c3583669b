"""Actor and critic with eligibility traces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Store, Stores
from metalocus.agents.online.learner import OnlineLearner, RuleSettings, linear, per_row, softmax
from metalocus.agents.online.policy_gradient import log_gradient
from metalocus.agents.online.space import LEVEL, SHARE_OR_NONE, STEP, Range

TRACES = ("actor_trace", "critic_trace")


@dataclass(frozen=True)
class ActorCriticSettings(RuleSettings):
    """Constants of the rule.

    Attributes:
        actor_rate: step size of the actor.
        critic_rate: step size of the critic.
        discount: of later rewards, below 1.
        trace: decay of the eligibility traces in a trial, beside the discount (lambda).
        mean_reward: mean reward a trial that the critic's initial value stands for.
        bound: greatest absolute value of an actor's weight.
    """

    actor_rate: float
    critic_rate: float
    discount: float
    trace: float
    mean_reward: float
    bound: float


class ActorCritic(OnlineLearner[ActorCriticSettings]):
    """A softmax actor and a linear critic, both updated along traces by the TD error.

    The TD error r + discount V(x') - V(x) needs the next features x'. So both are updated when
    the next stimulus is seen, before the next choice. Sutton & Barto 2018, "Reinforcement
    learning", section 13.5 (actor-critic with eligibility traces), without the factor
    discount^t of the updates at later steps.
    """

    name: ClassVar[str] = "actor_critic"
    summary: ClassVar[str] = "online: actor and critic with eligibility traces"
    space: ClassVar[Mapping[str, Range]] = {
        "actor_rate": STEP,
        "critic_rate": SHARE_OR_NONE,
        "discount": Range(0.0, 0.95, half=0.0),
        "trace": Range(0.0, 1.0, half=0.0),
        "mean_reward": LEVEL,
        "bound": Range(0.5, 8.0, log=True, half=np.inf),
    }
    untuned = ActorCriticSettings(
        actor_rate=0.4,  # that of the policy gradient
        critic_rate=0.1,  # that of its baseline
        discount=0.9,  # ten trials ahead: choices may have later effects
        trace=0.0,  # one-step updates
        mean_reward=0.5,  # the middle of the range of rewards
        bound=np.inf,
    )
    tuned = {  # best of 400 tried on each task
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
        """A uniform actor, a constant critic and traces of 0."""
        settings = self.settings
        critic = np.zeros((n, 1 + self.family.stimulus_size))
        critic[:, 0] = settings.mean_reward / (1.0 - settings.discount)
        actor = self.fresh_weights(n)
        traces = dict(zip(TRACES, (np.zeros_like(actor), np.zeros_like(critic)), strict=True))
        weights = {"actor": actor, "critic": critic, **traces, "td_error": np.zeros(n)}
        return Stores(weights=weights)

    def bootstrap(self, weights: Store, x: Array) -> Store:
        """Complete the TD error with the value of the next features, and update by it."""
        return self.step(weights, (x * weights["critic"]).sum(axis=1))

    def policy(self, weights: Store, x: Array) -> Array:
        """Softmax of the actor, [N, K]."""
        return softmax(linear(x, weights["actor"]))

    def update(self, weights: Store, x: Array, action: Array, reward: Array) -> Store:
        """Update the traces, and keep the TD error up to the value of the next features."""
        decay = self.settings.discount * self.settings.trace
        gradient = log_gradient(x, weights["actor"], action)
        return {
            **weights,
            "actor_trace": per_row(decay, gradient) * weights["actor_trace"] + gradient,
            "critic_trace": per_row(decay, x) * weights["critic_trace"] + x,
            "td_error": reward - (x * weights["critic"]).sum(axis=1),
        }

    def step(self, weights: Store, value: Array) -> Store:
        """Actor and critic after a step along their traces, given the next value, [N]."""
        settings, bound = self.settings, per_row(self.settings.bound, weights["actor"])
        td_error = weights["td_error"] + settings.discount * value
        actor = (settings.actor_rate * td_error)[:, None, None] * weights["actor_trace"]
        critic = (settings.critic_rate * td_error)[:, None] * weights["critic_trace"]
        return {
            **weights,
            "actor": np.clip(weights["actor"] + actor, -bound, bound),
            "critic": weights["critic"] + critic,
        }

    def end_episode(self, weights: Store) -> Store:
        """One last step, to a terminal value of 0; then traces and TD error are 0."""
        last = self.step(weights, np.zeros_like(weights["td_error"]))
        ended = {name: np.zeros_like(last[name]) for name in (*TRACES, "td_error")}
        return {**last, **ended}
