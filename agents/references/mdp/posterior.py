"""The exact posterior of a random Markov decision process, and planning in a process."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.sizes import too_large
from metalocus.envs import Family
from metalocus.envs.families.tabular_mdp import REWARD_MEAN, TabularMDP, optimal_values

NO_ACTION = -1
"""Stands for the last action before the first step."""
BLOCK = 128
"""Episodes planned at once. The processes of so many stay in a core's cache: 1.4 times as fast as
2,000 at once."""


class PlanningPolicy(ReferencePolicy):
    """Counts transitions and rewards, and plans anew at every step.

    The posterior is exact: Dirichlet(1 + ``visits``) for the transitions of each state and
    action, and for its mean reward normal of mean (1 + ``paid``) / (1 + ``pulls``) and
    variance 1 / (1 + ``pulls``). The transition of an inner episode's last step is never seen.
    The policies differ in the process that they plan in, their ``model``.

    The state is ``visits`` [N, S, A, S]; ``pulls`` and ``paid`` [N, S, A]; ``inner`` [N], the
    step of the inner episode; ``place`` and ``action`` [N], the last state and action.
    """

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, TabularMDP)  # why_not has refused all others
        self.n_states, self.inner_horizon = family.n_states, family.inner_horizon

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the random process can be played, if its counts fit into memory."""
        if not isinstance(family, TabularMDP):
            return "it plans in TabularMDP alone"
        states, pairs = family.n_states, family.n_states * family.n_arms
        what = f"the counts and plans of {states} states and {family.n_arms} actions"
        n_bytes = 8 * pairs * (states + family.inner_horizon)
        return too_large(what, n_bytes)

    @abstractmethod
    def model(self, stores: Stores) -> tuple[Array, Array]:
        """The process to plan in: rewards [N, S, A] and transitions [N, S, A, S]."""

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """All counts 0, no last action."""
        pairs = (n, self.n_states, self.n_arms)
        state = {
            "visits": np.zeros((*pairs, self.n_states)),
            "pulls": np.zeros(pairs),
            "paid": np.zeros(pairs),
        }
        places = {name: np.zeros(n, dtype=np.int64) for name in ("inner", "place")}
        return Stores(state={**state, **places, "action": np.full(n, NO_ACTION)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the actions of highest value in the plan, [N, A]."""
        place, begins = stimulus[:, :-1].argmax(axis=1), stimulus[:, -1] > 0.5
        visits, last = stores.state["visits"], stores.state["action"]
        moved = np.flatnonzero(~begins & (last != NO_ACTION))
        if len(moved):
            visits = visits.copy()
            visits[moved, stores.state["place"][moved], last[moved], place[moved]] += 1.0
        inner = np.where(begins, 0, stores.state["inner"])
        seen = {**stores.state, "visits": visits, "inner": inner, "place": place}
        values, stores = self.plan(replace(stores, state=seen))
        return spread(best_arms(values)), stores

    def plan(self, stores: Stores) -> tuple[Array, Stores]:
        """Value of every action in the model at this step, [N, A], and stores."""
        values = np.empty((len(stores.state["inner"]), self.n_arms))
        # some episodes at a time, back to the first step that any of them is at
        for first in range(0, len(values), BLOCK):
            rows = slice(first, first + BLOCK)
            some = stores.rows(rows)
            inner, place = some.state["inner"], some.state["place"]
            plan = optimal_values(*self.model(some), self.inner_horizon - inner.min())
            values[rows] = plan[np.arange(len(inner)), inner - inner.min(), place]
        return values, stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Count the action and its reward; the transition is seen at the next step."""
        state = stores.state
        where = (np.arange(len(action)), state["place"], action)
        pulls, paid = state["pulls"].copy(), state["paid"].copy()
        pulls[where] += 1.0
        paid[where] += reward
        inner = np.minimum(state["inner"] + 1, self.inner_horizon - 1)
        done = {"pulls": pulls, "paid": paid, "inner": inner, "action": action.copy()}
        return replace(stores, state={**state, **done})


def mean_rewards(stores: Stores) -> Array:
    """Posterior mean of every mean reward, [N, S, A]."""
    mean: Array = (REWARD_MEAN + stores.state["paid"]) / (1.0 + stores.state["pulls"])
    return mean


def mean_transitions(stores: Stores) -> Array:
    """Posterior mean of every transition's probability, [N, S, A, S]."""
    weight = 1.0 + stores.state["visits"]
    mean: Array = weight / weight.sum(axis=3, keepdims=True)
    return mean
