"""What the online learners share: a memoryless policy, changed after every transition.

An online learner's forward pass reads the stimulus and its weights alone. The weights are
fresh in every episode and each transition changes them: the learning that "the RL
algorithm could have done" without recurrence.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Generic, TypeVar

import numpy as np

from metalocus.agents.agent import Array, NamedAgent, Store, Stores
from metalocus.envs import Family

Settings = TypeVar("Settings")


class OnlineLearner(NamedAgent, Generic[Settings]):
    """A linear policy on [1, stimulus] with weights of its own in every episode.

    Class attributes:
        tuned: settings by family name and number of arms, as found by
            ``python -m metalocus.experiments.bench.tune_online`` on episodes that are not reported.

    Args:
        family: the tasks it will play.
        settings: of the rule; if None, those tuned for the family and number of arms, or
            the first in ``tuned`` where there are none.
    """

    tuned: ClassVar[Mapping[tuple[str, int], object]]

    def __init__(self, family: Family, settings: Settings | None = None) -> None:
        super().__init__(family)
        first = next(iter(self.tuned.values()))
        chosen = self.tuned.get((family.name, family.n_arms), first)
        self.settings: Settings = chosen if settings is None else settings  # type: ignore[assignment]

    def features(self, stimulus: Array) -> Array:
        """Inputs of the policy: a constant 1 and the stimulus, [N, S] -> [N, F] of F = 1 + S."""
        return np.concatenate([np.ones((len(stimulus), 1)), stimulus], axis=1)

    def fresh_weights(self, n: int, constant: float = 0.0) -> Array:
        """[N, F, K]: the given weight for the constant input, 0 for the stimulus."""
        weights = np.zeros((n, 1 + self.family.stimulus_size, self.n_arms))
        weights[:, 0] = constant
        return weights

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Settle what the stimulus tells of the last transition, then choose."""
        x = self.features(stimulus)
        weights = self.settle(stores.weights, x)
        return self.choose(weights, x), replace(stores, weights=weights)

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Change the weights by the rule."""
        scaled = self.reward_fraction(reward)
        return replace(
            stores, weights=self.update(stores.weights, self.features(stimulus), action, scaled)
        )

    def settle(self, weights: Store, x: Array) -> Store:
        """The rest of the last update, where it needs the features [N, F] that came after."""
        return weights

    def carry_on(self, weights: Store) -> Store:
        """The weights that the next episode begins with, where they are carried between them."""
        return weights

    @abstractmethod
    def choose(self, weights: Store, x: Array) -> Array:
        """Probabilities of the actions [N, K] from features x [N, F]."""

    @abstractmethod
    def update(self, weights: Store, x: Array, action: Array, reward: Array) -> Store:
        """The rule: new weights from features x [N, F], action [N] and reward [N] in [0, 1]."""


def linear(x: Array, weights: Array) -> Array:
    """Each episode's own linear layer, [N, F] and [N, F, K] -> [N, K]."""
    output: Array = np.einsum("nf,nfk->nk", x, weights)
    return output


def softmax(logits: Array) -> Array:
    """[N, K] -> probabilities [N, K]."""
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs: Array = odds / odds.sum(axis=1, keepdims=True)
    return probs
