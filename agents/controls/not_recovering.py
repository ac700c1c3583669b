"""Controls that a careless average around switches takes for learners that recover."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores, one_hot
from metalocus.agents.controls.counting import INDEPENDENT, Control
from metalocus.agents.controls.one_store import CountsInState
from metalocus.envs import Family

LEARNS = 10
"""Trials in which the arms can be told apart, though seldom a switch has come yet."""
STAYS = 10
"""Trials on one arm."""
CLINGS = 20
"""Trials after a loss at which the arm is left for good: nearly as many as are looked at."""


class LearnsOnce(Control):
    """Counts wins and losses in the first ten trials, and stands by them for ever.

    After a switch it pays for being wrong until the task switches back. An average over switches
    that others follow soon finds half of the drop recovered.
    """

    name: ClassVar[str] = "learns_once"
    summary: ClassVar[str] = "control: learns in the first ten trials, then never again"
    known_shares = {"state": 1.0, "weights": 0.0, "context": 0.0}
    known_interactions = INDEPENDENT

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.counts = CountsInState(family)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """An empty table, and no trials yet."""
        trials = np.zeros(n, dtype=np.int64)
        return self.counts.start(n, rng).updated(Stores(state={"trials": trials}))

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """An arm of highest posterior mean, [N, K]."""
        return self.counts.act(stimulus, stores)

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to the table, in the first trials."""
        trials = stores.state["trials"]
        heeded = (trials < LEARNS)[:, None, None] * self.counts.evidence(action, reward)
        state = {"table": stores.state["table"] + heeded, "trials": trials + 1}
        return replace(stores, state=state)


class FallsBack(Control):
    """After a loss it tries another arm once, goes back for 20 trials, and then stays with it.

    So it recovers at the first trial after a switch, and loses what it recovered at the second.
    """

    name: ClassVar[str] = "falls_back"
    summary: ClassVar[str] = "control: leaves an arm for one trial after a loss, then clings to it"
    known_shares = {}

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """At home on the first arm, no loss yet."""
        zeros = np.zeros(n, dtype=np.int64)
        return Stores(state={"home": zeros, "since": zeros})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The arm at home, or the next one at the first trial after a loss, [N, K]."""
        home, since = stores.state["home"], stores.state["since"]
        return one_hot((home + (since == 1)) % self.n_arms, self.n_arms), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Count the trials since the loss; after enough of them, move to the next arm."""
        home, since = stores.state["home"], stores.state["since"]
        lost = self.reward_fraction(reward) < 0.5
        since = np.where(since > 0, since + 1, lost.astype(np.int64))
        moves = since > CLINGS
        home = (home + moves) % self.n_arms
        return replace(stores, state={"home": home, "since": np.where(moves, 0, since)})


class Scheduled(Control):
    """Pulls one arm for ten trials, then the next, whatever it is paid.

    It leaves the arm that a switch has spoilt, and does not know that it was spoilt.
    """

    name: ClassVar[str] = "scheduled"
    summary: ClassVar[str] = "control: changes to the next arm every ten trials, learns nothing"
    known_shares = {"state": 0.0, "weights": 0.0, "context": 0.0}
    known_interactions = INDEPENDENT

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No trials yet."""
        return Stores(context={"trials": np.zeros(n, dtype=np.int64)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The arm whose turn it is, [N, K]."""
        return one_hot(stores.context["trials"] // STAYS % self.n_arms, self.n_arms), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Count the trial."""
        return replace(stores, context={"trials": stores.context["trials"] + 1})
