"""A control with the layout of fast weights: the pass reads its weights into an activation."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores, one_hot
from metalocus.agents.controls.counting import output
from metalocus.agents.controls.one_store import CountsInWeights

FEATURES = "features"
"""What the choice is read from, as trained agents call it."""


class ReadIntoState(CountsInWeights):
    """Counts in its weights; a forward pass reads them, and the choice reads what the pass gave.

    As a fast-weight network it carries an activation too, ``before`` [N, K], the last action, so
    that what the pass gives is an activation of its state. Before the pass all knowledge is in the
    weights; after it they have been read already, and replacing them changes nothing any more.
    """

    name: ClassVar[str] = "read_into_state"
    summary: ClassVar[str] = "control: counts in its weights, which its pass reads into its state"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """A layer of zeros, and no action before."""
        before = np.zeros((n, self.n_arms))
        return super().start(n, rng).updated(Stores(state={"before": before}))

    def take_in(self, stimulus: Array, stores: Stores) -> Stores:
        """The pass: the layer's output, [N, K, 2], becomes an activation."""
        return stores.updated(Stores(state={FEATURES: output(stores.weights["layer"])}))

    def read_out(self, stimulus: Array, stores: Stores) -> Array:
        """The choice from what the pass gave."""
        return self.choice(stores.state[FEATURES])

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to the layer, and keep the action."""
        after = super().learn(stores, stimulus, action, reward)
        return after.updated(Stores(state={"before": one_hot(action, self.n_arms)}))
