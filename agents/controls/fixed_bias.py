"""The control that prefers some arms and never learns."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import INDEPENDENT, Control


class FixedBias(Control):
    """Pulls arm k of K with probability proportional to K - k, whatever happens."""

    name: ClassVar[str] = "fixed_bias"
    summary: ClassVar[str] = "control: always the same uneven probabilities; carries nothing"
    known_shares = {"state": 0.0, "weights": 0.0, "context": 0.0}
    known_interactions = INDEPENDENT

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Nothing."""
        return Stores()

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The bias."""
        bias = np.arange(self.n_arms, 0, -1.0)
        return np.tile(bias / bias.sum(), (len(stimulus), 1)), stores
