"""Play the recent winner: a heuristic with a memory of ten trials."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.references.generic.policies import NO_ACTION
from metalocus.agents.references.rewards import finite


class RecentWinner(ReferencePolicy):
    """Pulls an arm of the best mean reward in the last 10 trials with probability .9, else any.

    An arm that was not pulled in these trials cannot be the best; before the first all can. The
    policy reads the trials again, so they are in the context, the last one first: ``action``
    [N, 10], -1 where there was none, and ``reward`` [N, 10].

    Class attributes:
        window: trials that are remembered; a proposal in the debate, not tuned.
        epsilon: probability of a uniformly random arm; proposed with it.
    """

    name: ClassVar[str] = "recent_winner"
    summary: ClassVar[str] = "best arm of the last 10 trials with probability .9, else any"
    window: ClassVar[int] = 10
    epsilon: ClassVar[float] = 0.1

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No trials yet."""
        shape = (n, self.window)
        return Stores(context={"action": np.full(shape, NO_ACTION), "reward": np.zeros(shape)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """(1 - ε) on the arms of highest recent mean and ε / K on each, [N, K]."""
        action, reward = stores.context["action"], finite(stores.context["reward"])
        pulled = action[..., None] == np.arange(self.n_arms)
        pulls = pulled.sum(axis=1)
        mean = (pulled * reward[..., None]).sum(axis=1) / np.maximum(pulls, 1)
        best = spread(best_arms(np.where(pulls > 0, mean, -np.inf)))
        untried = ~pulled.any(axis=(1, 2))
        best[untried] = 1.0 / self.n_arms
        return (1.0 - self.epsilon) * best + self.epsilon / self.n_arms, stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Keep this trial in place of the oldest."""
        context = {
            name: np.concatenate([new[:, None], stores.context[name][:, :-1]], axis=1)
            for name, new in (("action", action), ("reward", reward))
        }
        return replace(stores, context=context)
