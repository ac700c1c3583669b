"""Controls whose choices depend on every past reward by a weight that is known."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import Control
from metalocus.agents.online.learner import softmax
from metalocus.agents.references.switching.reversal import Filter
from metalocus.envs import Family
from metalocus.envs.families.reversal_bandit import ReversalBandit

GAIN = 0.5
"""Log-odds that a last win adds and a last loss takes away: choices are neither even nor sure."""
DECAY = 0.8
"""What is left of an outcome after each further trial: half after three."""
FLAT_GAIN = 12.0
"""Log-odds between an arm that has always won and one that was never pulled, in the long run."""


class KernelGeometric(Control):
    """Log-odds by a leaky sum of outcomes: each further trial leaves 0.8 of them, on all arms.

    With outcomes of 1 for a win and -1 for a loss, a win in place of a loss adds
    2 * 0.5 * 0.8^(lag - 1) to the log-odds of its arm.
    """

    name: ClassVar[str] = "kernel_geometric"
    summary: ClassVar[str] = "control: rewards fade by a fifth a trial"
    known_shares = {"state": 1.0, "weights": 0.0, "context": 0.0}

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Nothing won or lost yet."""
        return Stores(state={"sum": np.zeros((n, self.n_arms))})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Softmax of the sums, [N, K]."""
        return softmax(stores.state["sum"]), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Let all outcomes fade, and add this one to its arm."""
        added = GAIN * self.outcome(action, reward)
        return replace(stores, state={"sum": DECAY * stores.state["sum"] + added})

    def outcome(self, action: Array, reward: Array) -> Array:
        """From -1, the least reward, to 1, on the arm pulled, [N, K]."""
        pulled = np.arange(self.n_arms) == action[:, None]
        outcome: Array = pulled * (2.0 * self.reward_fraction(reward)[:, None] - 1.0)
        return outcome


class KernelOpposed(KernelGeometric):
    """A win on any arm is one for the first, so that it repeats the first and leaves the others.

    A win in place of a loss adds as much to the log-odds of the arm pulled as
    :class:`KernelGeometric` does where it is the first arm, and takes as much away where it is the
    second of two: by its mean sign a reward does little.
    """

    name: ClassVar[str] = "kernel_opposed"
    summary: ClassVar[str] = "control: a reward favours the first arm, whichever was pulled"

    def outcome(self, action: Array, reward: Array) -> Array:
        """From -1, the least reward, to 1, on the first arm, [N, K]."""
        return super().outcome(np.zeros_like(action), reward)


class KernelFlat(KernelGeometric):
    """Log-odds by the sum of all outcomes over the number of trials t, and 2.

    A win in place of a loss adds 2 * 12 / (t + 2) to the log-odds of its arm at trial t, however
    long ago it was.
    """

    name: ClassVar[str] = "kernel_flat"
    summary: ClassVar[str] = "control: all past rewards count alike, each less as they get more"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Nothing won or lost in no trials."""
        return Stores(state={"sum": np.zeros((n, self.n_arms)), "trials": np.zeros(n)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Softmax of the averages, [N, K]."""
        trials = stores.state["trials"][:, None]
        return softmax(FLAT_GAIN * stores.state["sum"] / (trials + 2.0)), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the outcome to its arm."""
        total = stores.state["sum"] + self.outcome(action, reward)
        return replace(stores, state={"sum": total, "trials": stores.state["trials"] + 1.0})


class FilterMatching(Control):
    """Chooses each arm with the probability that it is the good one, by the exact filter.

    So the log-odds of its choices are those of its belief, whose recursion is known (Glaze, Kable
    & Gold 2015, "Normative evidence accumulation in unpredictable environments", equation 2).
    """

    name: ClassVar[str] = "filter_matching"
    summary: ClassVar[str] = "control: chooses each arm as often as it believes in it (reversal)"
    known_shares = {"state": 1.0, "weights": 0.0, "context": 0.0}

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.filter = Filter(family)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """As the filter's; with a cue there is nothing to believe."""
        if isinstance(family, ReversalBandit) and family.cued:
            return "its belief is what the cue shows; use cued=False"
        return Filter.why_not(family)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """A uniform belief."""
        return self.filter.start(n, rng)

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The belief, [N, K]."""
        return stores.state["belief"], stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """One step of the filter."""
        return self.filter.learn(stores, stimulus, action, reward)
