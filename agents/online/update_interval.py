"""When an online learner's changes take effect: how often, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from metalocus.agents.agent import Agent, Array, Store, Stores
from metalocus.agents.online.learner import OnlineLearner
from metalocus.envs import InvalidTask

_ACTING, _WAITED = "acting.", "waited"


class PacedLearner(Agent):
    """An online learner that acts on what it has learned only after every so many trials.

    Its rule is applied to every transition as ever, in weights of its own; the policy reads
    a copy of them, ``acting.*``, which is renewed when ``every`` trials have gone by. So the
    rule is the same, and only the time at which its changes take effect is not.

    Args:
        learner: an online learner.
        every: trials between renewals; None for none before the next episode.
        before: stores in which earlier episodes ended, to carry their weights on; None for
            weights that are fresh in every episode.

    Raises:
        InvalidTask: ``every`` is no positive number.
    """

    def __init__(
        self, learner: OnlineLearner[Any], every: int | None = 1, before: Stores | None = None
    ) -> None:
        if every is not None and every < 1:
            raise InvalidTask(f"every must be a positive number of trials or None, got {every}")
        self.learner, self.every, self.before = learner, every, before

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Fresh weights, or those carried on, and the policy's copy of them."""
        weights = self.learner.start(n, rng).weights
        if self.before is not None:
            weights = self.learner.carry_on(_own(self.before.weights))
        return Stores(weights={**weights, **_copy(weights), _WAITED: np.zeros(n, dtype=np.int64)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The choice of the policy's copy, renewed where it is due."""
        x, waited = self.learner.features(stimulus), stores.weights[_WAITED]
        own = self.learner.settle(_own(stores.weights), x)
        acting = {
            name: np.where((waited == 0).reshape(-1, *[1] * (new.ndim - 1)), new, old)
            for name, new, old in ((n, own[n], stores.weights[_ACTING + n]) for n in own)
        }
        weights = {**stores.weights, **own, **_copy(acting)}
        return self.learner.choose(acting, x), Stores(weights=weights)

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """The rule; the policy's copy stays."""
        own = Stores(weights=_own(stores.weights))
        weights = self.learner.learn(own, stimulus, action, reward).weights
        waited = stores.weights[_WAITED] + 1
        due = self.every is not None and waited >= self.every
        return Stores(weights={**stores.weights, **weights, _WAITED: np.where(due, 0, waited)})


def _own(weights: Store) -> dict[str, Array]:
    """The learner's own among the weights."""
    return {
        name: array
        for name, array in weights.items()
        if name != _WAITED and not name.startswith(_ACTING)
    }


def _copy(weights: Mapping[str, Array]) -> dict[str, Array]:
    """Under the policy's names."""
    return {_ACTING + name: array for name, array in weights.items()}
