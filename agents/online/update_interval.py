"""An online learner whose policy takes over what has been learned only every so many trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from metalocus.agents.agent import Agent, Array, Store, Stores
from metalocus.agents.online.learner import OnlineLearner
from metalocus.envs.checks import require_count

_ACTING, _SINCE = "acting.", "trials_since_update"


class IntervalLearner(Agent):
    """An online learner whose policy is updated once in an interval of trials.

    The rule is applied to every transition, in the learner's own weights. The policy reads a
    copy of them, ``acting.*``, which is taken anew when ``interval`` trials have gone by. So the
    rule is the same, and only the time at which its changes take effect differs.

    Args:
        learner: an online learner.
        interval: trials between updates of the policy; None for none within an episode.
        before: stores in which earlier episodes ended, whose weights are kept; None for weights
            that are fresh in every episode.

    Raises:
        InvalidTask: ``interval`` is no positive whole number.
    """

    def __init__(
        self, learner: OnlineLearner[Any], interval: int | None = 1, before: Stores | None = None
    ) -> None:
        self.learner, self.before = learner, before
        self.interval = None if interval is None else require_count("interval", interval, 1)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Fresh weights, or those kept, and the policy's copy of them."""
        weights = self.learner.start(n, rng).weights
        if self.before is not None:
            weights = self.learner.end_episode(_own(self.before.weights))
        return Stores(weights={**weights, **_copy(weights), _SINCE: np.zeros(n, dtype=np.int64)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The policy on its copy of the weights, taken anew where an interval begins, [N, K]."""
        x, begins = self.learner.features(stimulus), stores.weights[_SINCE] == 0
        own = self.learner.bootstrap(_own(stores.weights), x)
        acting = {}
        for name, new in own.items():
            rows = begins.reshape(-1, *[1] * (new.ndim - 1))
            acting[name] = np.where(rows, new, stores.weights[_ACTING + name])
        weights = {**stores.weights, **own, **_copy(acting)}
        return self.learner.policy(acting, x), Stores(weights=weights)

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Apply the rule to the learner's own weights; the policy's copy stays."""
        own = Stores(weights=_own(stores.weights))
        weights = self.learner.learn(own, stimulus, action, reward).weights
        since = stores.weights[_SINCE] + 1
        due = self.interval is not None and since >= self.interval
        return Stores(weights={**stores.weights, **weights, _SINCE: np.where(due, 0, since)})


def _own(weights: Store) -> dict[str, Array]:
    """The learner's own among the weights."""
    return {
        name: array
        for name, array in weights.items()
        if name != _SINCE and not name.startswith(_ACTING)
    }


def _copy(weights: Mapping[str, Array]) -> dict[str, Array]:
    """The weights under the names of the policy's copy."""
    return {_ACTING + name: array for name, array in weights.items()}
