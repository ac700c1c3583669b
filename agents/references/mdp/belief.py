"""What the policies for random Markov decision processes share: the posterior, and planning."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.envs import Family
from metalocus.envs.families.tabular_mdp import REWARD_MEAN, TabularMDP, optimal_values

NO_ACTION = -1


class PlanningPolicy(ReferencePolicy):
    """Counts what it sees, and plans anew at every step.

    The posterior is exact: Dirichlet(1 + ``visits``) for the transitions of each state and
    action, and for its mean reward normal of mean (1 + ``paid``) / (1 + ``pulls``) and
    variance 1 / (1 + ``pulls``). Where the last step of an inner episode would have led is
    never seen. What tells one policy from another is the process it plans in, its ``model``.

    The state is ``visits`` [N, S, A, S]; ``pulls`` and ``paid`` [N, S, A]; ``inner`` [N], the
    step of the inner episode; ``place`` and ``action`` [N], the last state and action.
    """

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, TabularMDP)  # why_not has refused all others
        self.n_states, self.inner_horizon = family.n_states, family.inner_horizon

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Random processes alone."""
        return None if isinstance(family, TabularMDP) else "it plans in TabularMDP alone"

    @abstractmethod
    def model(self, stores: Stores) -> tuple[Array, Array]:
        """The process to plan in: rewards [N, S, A] and transitions [N, S, A, S]."""

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Nothing seen."""
        pairs = (n, self.n_states, self.n_arms)
        state = {
            "visits": np.zeros((*pairs, self.n_states)),
            "pulls": np.zeros(pairs),
            "paid": np.zeros(pairs),
        }
        places = {name: np.zeros(n, dtype=np.int64) for name in ("inner", "place")}
        return Stores(state={**state, **places, "action": np.full(n, NO_ACTION)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the actions that the plan holds for best, [N, A]."""
        place, begins = stimulus[:, :-1].argmax(axis=1), stimulus[:, -1] > 0.5
        visits, last = stores.state["visits"], stores.state["action"]
        moved = np.flatnonzero(~begins & (last != NO_ACTION))
        if len(moved):
            visits = visits.copy()
            visits[moved, stores.state["place"][moved], last[moved], place[moved]] += 1.0
        inner = np.where(begins, 0, stores.state["inner"])
        seen = {**stores.state, "visits": visits, "inner": inner, "place": place}
        plan, stores = self.plan(replace(stores, state=seen))
        return spread(best_arms(plan[np.arange(len(place)), inner, place])), stores

    def plan(self, stores: Stores) -> tuple[Array, Stores]:
        """Worth of every action in the model by step and state, [N, H, S, A], and stores."""
        return optimal_values(*self.model(stores), self.inner_horizon), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Count the action and its reward; where it led is seen at the next step."""
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
