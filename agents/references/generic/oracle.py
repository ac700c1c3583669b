"""The agent that is told the answer."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy, Stores, best_arms, spread


class Oracle(ReferencePolicy):
    """Takes the action of highest true worth at every trial: the ceiling, not reachable."""

    name: ClassVar[str] = "oracle"
    summary: ClassVar[str] = "knows the task; regret is measured against it"
    omniscient: ClassVar[bool] = True

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Nothing to carry."""
        return Stores()

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The best by the true worths [N, K], shown in place of the stimulus."""
        return spread(best_arms(stimulus)), stores
