"""Policies of any task: random choice, the oracle, win-stay lose-shift, Rescorla-Wagner."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.references.rewards import finite

NO_ACTION = -1
"""Stands for the last action before the first trial."""


class Random(ReferencePolicy):
    """Every arm with equal probability at every trial: score 0."""

    name: ClassVar[str] = "random"
    summary: ClassVar[str] = "every arm with equal probability"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Empty stores: nothing is carried."""
        return Stores()

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """1 / K for every arm, [N, K]."""
        return np.full((len(stimulus), self.n_arms), 1.0 / self.n_arms), stores


class Oracle(ReferencePolicy):
    """Takes the action of highest true value at every trial: an upper bound that needs the latents.

    The true values [N, K] are shown in place of the stimulus.
    """

    name: ClassVar[str] = "oracle"
    summary: ClassVar[str] = "knows the task; regret is measured against it"
    omniscient: ClassVar[bool] = True

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Empty stores: nothing is carried."""
        return Stores()

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest true value, [N, K]."""
        return spread(best_arms(stimulus)), stores


class WinStayLoseShift(ReferencePolicy):
    """Repeats an arm that has just won, else moves to a random other one.

    A win is a reward in the upper half of the family's range. The first choice is uniform. The
    policy reads the last trial again, so that trial is in the context: ``action`` [N], -1 before
    the first trial, and ``reward`` [N].

    Source: Robbins 1952, "Some aspects of the sequential design of experiments".
    """

    name: ClassVar[str] = "wsls"
    summary: ClassVar[str] = "win-stay, lose-shift: remembers one trial (Robbins 1952)"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No last trial."""
        return Stores(context={"action": np.full(n, NO_ACTION), "reward": np.zeros(n)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The last arm after a win, the K - 1 others after a loss, all K at first, [N, K]."""
        last, reward = stores.context["action"], finite(stores.context["reward"])
        same = np.arange(self.n_arms) == last[:, None]
        won = (reward > sum(self.family.reward_range) / 2) & (last != NO_ACTION)
        return spread(np.where(won[:, None], same, ~same)), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Keep this trial in place of the one before."""
        return replace(stores, context={"action": action.copy(), "reward": reward.copy()})


class RescorlaWagner(ReferencePolicy):
    """Moves the value of the arm pulled towards its reward; chooses by softmax of the values.

    Values are in units of the family's reward range and begin at its middle, 1/2. The
    state is ``value`` [N, K].

    Class attributes:
        learning_rate: 0.3, with the temperature the best in sum of 20 pairs on five tasks
            (2 and 5 stable arms; reversal at p, h of .75, .02; .75, .05; .9, .05), 100 trials
            each, 2,000 episodes of seed 1000.
        inverse_temperature: 20, of the softmax; found with the learning rate.

    Source: Rescorla & Wagner 1972, "A theory of Pavlovian conditioning"; with softmax
    choice as in Daw 2011, "Trial-by-trial data analysis using computational models".
    """

    name: ClassVar[str] = "rescorla_wagner"
    summary: ClassVar[str] = "values by a fixed learning rate, softmax choice (Rescorla 1972)"
    learning_rate: ClassVar[float] = 0.3
    inverse_temperature: ClassVar[float] = 20.0

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Every value at the middle of the reward range."""
        return Stores(state={"value": np.full((n, self.n_arms), 0.5)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """softmax(inverse temperature * value), [N, K]."""
        value = stores.state["value"]
        weight = np.exp(self.inverse_temperature * (value - value.max(axis=1, keepdims=True)))
        return weight / weight.sum(axis=1, keepdims=True), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Value += learning rate * (reward - value) for the arm pulled."""
        value = stores.state["value"]
        scaled = self.reward_fraction(reward)[:, None]
        error = (np.arange(self.n_arms) == action[:, None]) * (scaled - value)
        return replace(stores, state={"value": value + self.learning_rate * error})
