"""The counting control that writes to state and weights in turn."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import Counting, as_weights, output


class CountsAlternating(Counting):
    """Every other trial's evidence goes to the state, the rest to the weights.

    Which of them comes first is drawn for each episode, since early evidence is worth
    more; so both shares are a half. How much the halves overlap is not known beforehand.
    The clock stands in the context, as the time in an observation would; acting does not
    read it.
    """

    name: ClassVar[str] = "counts_alternating"
    summary: ClassVar[str] = "control: counts odd trials in its state, even ones in its weights"
    known_shares = {"state": 0.5, "weights": 0.5, "context": 0.0}
    known_interactions = {"state+context": 0.0, "weights+context": 0.0}

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No evidence in either; the clock begins at 0 or 1."""
        return Stores(
            {"table": self.empty(n)},
            {"layer": as_weights(self.empty(n))},
            {"clock": rng.integers(2, size=n)},
        )

    def table(self, stores: Stores) -> Array:
        """Both halves together."""
        return stores.state["table"] + output(stores.weights["layer"])

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to the store whose turn it is."""
        evidence = self.evidence(action, reward)
        clock = stores.context["clock"]
        odd = (clock % 2 == 1)[:, None, None]
        return Stores(
            {"table": stores.state["table"] + evidence * odd},
            {"layer": stores.weights["layer"] + as_weights(evidence * ~odd)},
            {"clock": clock + 1},
        )
