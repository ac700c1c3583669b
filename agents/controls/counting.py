"""Base of the hand-wired controls: a table of counts, and the locus that is known.

The counting controls count and choose alike; they differ only in the stores that hold the
table. So differences between them in what a probe reports are due to the stores.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, NamedAgent, Stores, best_arms, spread

CONSTANT_INPUT = np.ones(1)
"""The input of a linear layer that is read without a stimulus, [1]."""

INDEPENDENT = {"state+weights": 0.0, "state+context": 0.0, "weights+context": 0.0}
"""Interactions of pairs of stores of which at most one holds anything."""


class Control(NamedAgent):
    """An agent whose locus is known by construction.

    Class attributes:
        known_shares: of each store, as a fraction of the knowledge v(all) - v(none), if another
            episode's stores are put in place of those that are lost; all zero if the stores
            hold none, empty for a control of something else.
        known_interactions: of pairs of stores such as ``state+weights``, in the same
            unit, if those of the episode's start are put in place; pairs without a value
            known beforehand are left out.
        contained: everything it carries is in its stores.
    """

    known_shares: ClassVar[Mapping[str, float]] = {}
    known_interactions: ClassVar[Mapping[str, float]] = {}
    contained: ClassVar[bool] = True


class Counting(Control):
    """Counts every arm's successes and failures; pulls an arm of highest posterior mean.

    The prior is Beta(1, 1), ties are spread evenly, and a reward inside the family's range
    counts as that fraction of a success. Subclasses say which stores hold the table.
    """

    @abstractmethod
    def table(self, stores: Stores) -> Array:
        """The counts that these stores hold: successes and failures, [N, K, 2]."""

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest posterior mean, [N, K]."""
        return self.choice(self.table(stores)), stores

    def choice(self, table: Array) -> Array:
        """Equal probability on the arms of highest posterior mean of a table, [N, K, 2]."""
        mean = (1.0 + table[..., 0]) / (2.0 + table.sum(axis=2))
        return spread(best_arms(mean))

    def empty(self, n: int) -> Array:
        """A table without evidence, [N, K, 2]."""
        return np.zeros((n, self.n_arms, 2))

    def evidence(self, action: Array, reward: Array) -> Array:
        """The counts of one transition: 1 in all, on the arm pulled, [N, K, 2]."""
        success = self.reward_fraction(reward)
        pulled = np.arange(self.n_arms) == action[:, None]
        counts: Array = pulled[..., None] * np.stack([success, 1.0 - success], axis=1)[:, None]
        return counts


def as_weights(table: Array) -> Array:
    """A table as the matrices that map the constant input to it, [N, K, 2] -> [N, K, 2, 1]."""
    return table[..., None]


def output(weights: Array) -> Array:
    """The linear layer applied to the constant input, [N, K, 2, 1] -> [N, K, 2]."""
    table: Array = weights @ CONSTANT_INPUT
    return table
