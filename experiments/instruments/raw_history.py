"""What an episode's raw history tells: baselines and control targets for decoders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.rollout import Transition
from metalocus.envs import Family

WIDE = 512
"""Random features of the history: several times as many as the cells have activations."""
CONTROLS = 4
"""Control targets; their mean R² errs by half as much as one's."""
_SEED = 0
"""Of the random functions, which are the same for all agents."""


class RawHistory:
    """The raw history of actions, rewards and stimuli, and random functions of it.

    Args:
        family: that is played.
        width: of the random projection.
        trials: measured.
    """

    def __init__(self, family: Family, width: int, trials: Sequence[int]) -> None:
        self.n_arms, self.width, self.trials = family.n_arms, width, trials
        self.sums: dict[str, Array] = {}
        size = 2 * family.n_arms
        rng = np.random.default_rng(_SEED)
        worth = rng.normal(size=(len(trials), family.horizon, size, CONTROLS))
        for at, t in enumerate(trials):  # no worth on average over the trials before t
            worth[at, :t] -= worth[at, :t].mean(axis=0) if t else 0.0
        self.worth = worth

    def anew(self) -> RawHistory:
        """The same random functions, of other episodes."""
        fresh = object.__new__(RawHistory)
        fresh.__dict__ = {**self.__dict__, "sums": {}}
        return fresh

    def take_in(self, t: int, n: int, last: Transition | None) -> None:
        """Add the transition of trial t - 1."""
        if last is None:
            self.sums = {
                "last": np.zeros((n, 2 * self.n_arms)),
                "projected": np.zeros((n, self.width)),
                "wide": np.zeros((n, WIDE)),
                "control": np.zeros((len(self.trials), n, CONTROLS)),
            }
            return
        pulled = (np.arange(self.n_arms) == last.action[:, None]).astype(float)
        paid = np.concatenate([pulled, pulled * last.reward[:, None]], axis=1)
        seen = np.concatenate([paid, last.stimulus], axis=1)
        rng = np.random.default_rng([_SEED, t])
        mixed = seen @ rng.normal(size=(seen.shape[1], self.width + WIDE))
        self.sums["last"] = paid
        self.sums["projected"] = self.sums["projected"] + mixed[:, : self.width]
        self.sums["wide"] = self.sums["wide"] + mixed[:, self.width :]
        self.sums["control"] = self.sums["control"] + paid @ self.worth[:, t - 1]

    def control(self, t: int) -> Array:
        """Control targets at a measured trial, [N, CONTROLS]."""
        found: Array = self.sums["control"][self.trials.index(t)]
        return found

    def baselines(self, t: int) -> dict[str, Stores]:
        """Random projection of the history, and wide random features of it, as stores."""
        phase = np.random.default_rng(_SEED + 1).uniform(0.0, 2.0 * np.pi, WIDE)
        waves = np.cos(self.sums["wide"] / np.sqrt(2.0 * max(t, 1)) + phase)
        return {
            "last trial": Stores(state={"x": self.sums["last"]}),
            "history": Stores(state={"x": self.sums["projected"]}),
            "random features": Stores(state={"x": waves}),
        }
