"""Base of the delta rules: a table of the arms' values, and the policy on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from metalocus.agents.agent import Array, Store, Stores, best_arms, spread
from metalocus.agents.online.learner import OnlineLearner, RuleSettings, linear, per_row, softmax
from metalocus.agents.online.space import LEVEL, SHARE_OR_NONE, Range


@dataclass(frozen=True)
class ValueSettings(RuleSettings):
    """Constants of the table and of the policy on it.

    Attributes:
        start: initial value of every arm; above the mean reward it makes the agent explore.
        epsilon: probability of a uniformly random arm.
        temperature: of the softmax otherwise; at 0 the best arm, ties spread evenly.
    """

    start: float
    epsilon: float
    temperature: float


ACTING: Mapping[str, Range] = {
    "start": LEVEL,
    "epsilon": SHARE_OR_NONE,
    "temperature": Range(0.01, 0.5, log=True, half=0.0),
}
"""Where the constants above are searched for by every rule."""
START, EPSILON, TEMPERATURE = 0.5, 0.1, 0.0
"""Before tuning: the middle of the range of rewards, and the epsilon-greedy policy of Sutton &
Barto 2018, figure 2.2."""
Settings = TypeVar("Settings", bound=ValueSettings)


class ValueTable(OnlineLearner[Settings]):
    """Predicts every arm's reward linearly from [1, stimulus] and acts on the predictions."""

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The initial value for every arm."""
        return Stores(weights={"values": self.fresh_weights(n, self.settings.start)})

    def policy(self, weights: Store, x: Array) -> Array:
        """Softmax or greedy on the predictions, mixed with a uniformly random arm, [N, K]."""
        values = linear(x, weights["values"])
        temperature = np.broadcast_to(self.settings.temperature, len(values))
        epsilon, soft = per_row(self.settings.epsilon, values), temperature > 0.0
        chosen = np.empty_like(values)
        chosen[soft] = softmax(values[soft] / temperature[soft, None])
        chosen[~soft] = spread(best_arms(values[~soft]))
        return epsilon / self.n_arms + (1.0 - epsilon) * chosen


def value_gradient(x: Array, action: Array, n_arms: int) -> Array:
    """Gradient of the action's prediction: the features in its column, [N, F, K]."""
    pulled = np.arange(n_arms) == action[:, None]
    gradient: Array = x[:, :, None] * pulled[:, None]
    return gradient


def prediction_error(x: Array, values: Array, action: Array, reward: Array) -> Array:
    """Reward minus the action's predicted value, [N, 1, 1]."""
    predicted = linear(x, values)[np.arange(len(action)), action]
    error: Array = (reward - predicted)[:, None, None]
    return error
