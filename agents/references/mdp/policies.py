"""Planning in the mean process, in the mean with an exploration bonus, and in a posterior draw."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import NEAR, Array, Stores
from metalocus.agents.references.mdp.posterior import (
    PlanningPolicy,
    mean_rewards,
    mean_transitions,
)
from metalocus.envs import Family
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.families.tabular_mdp import optimal_values


class CertaintyEquivalent(PlanningPolicy):
    """Acts optimally in the posterior's mean process; never explores on purpose.

    The row Greedy of Duan et al. 2016 plans in an estimated process too, by other means. The
    name is after Simon 1956, "Dynamic programming under uncertainty with a quadratic
    criterion function".
    """

    name: ClassVar[str] = "certainty_equivalent"
    summary: ClassVar[str] = "plans in the posterior's mean process; no exploration"

    def model(self, stores: Stores) -> tuple[Array, Array]:
        """Posterior means of rewards and transitions."""
        return mean_rewards(stores), mean_transitions(stores)


class BayesianExplorationBonus(PlanningPolicy):
    """Plans in the mean process with β / (1 + n) added to an action that was taken n times.

    Class attributes:
        bonus: β, 0.5: of 0.25, 0.5, 0.75 and 1 the best on the default task, 2,000
            episodes of seed 1000.

    Source: Kolter & Ng 2009, "Near-Bayesian exploration in polynomial time".
    """

    name: ClassVar[str] = "beb"
    summary: ClassVar[str] = "plans in the mean process with a bonus for the new (Kolter & Ng 2009)"
    bonus: ClassVar[float] = 0.5

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Near the optimum: the best of the three policies of this task."""
        return NEAR

    def model(self, stores: Stores) -> tuple[Array, Array]:
        """Posterior means, the rewards with the bonus."""
        bonus = self.bonus / (1.0 + stores.state["pulls"])
        return mean_rewards(stores) + bonus, mean_transitions(stores)


class PosteriorSampling(PlanningPolicy):
    """Draws a process from the posterior for every inner episode and acts optimally in it.

    The plan for the process drawn is kept in the state as ``plan`` [N, H, S, A]. The draws
    belong to the episode: they are a function of ``key`` [N], drawn at the start, and of the
    number of steps done.

    Source: Strens 2000, "A Bayesian framework for reinforcement learning"; Osband et al.
    2013, "(More) efficient reinforcement learning via posterior sampling", algorithm 1.
    """

    name: ClassVar[str] = "psrl"
    summary: ClassVar[str] = "posterior sampling: the best policy of a process drawn (Osband 2013)"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No counts and no plan, and a key to the random numbers of each row."""
        stores = super().start(n, rng)
        key = rng.integers(0, 2**63, size=n, dtype=np.uint64)
        plan = np.zeros((n, self.inner_horizon, self.n_states, self.n_arms))
        return replace(stores, state={**stores.state, "key": key, "plan": plan})

    def plan(self, stores: Stores) -> tuple[Array, Stores]:
        """Values at this step of a new plan where an inner episode starts, else of the one kept."""
        inner, place = stores.state["inner"], stores.state["place"]
        begins, plan = np.flatnonzero(inner == 0), stores.state["plan"]
        if len(begins):
            plan = plan.copy()
            plan[begins] = self.new_plan(stores.rows(begins))
        values = plan[np.arange(len(plan)), inner, place]
        return values, replace(stores, state={**stores.state, "plan": plan})

    def new_plan(self, stores: Stores) -> Array:
        """The plan for an inner episode, here the best one of a process drawn, [N, H, S, A]."""
        return optimal_values(*self.model(stores), self.inner_horizon)

    def model(self, stores: Stores) -> tuple[Array, Array]:
        """Rewards and transitions drawn from their posteriors."""
        crn, pulls = CommonRandomNumbers(stores.state["key"]), stores.state["pulls"]
        done = pulls.sum(axis=(1, 2))
        noise = crn.normal("rewards", done, np.arange(pulls[0].size)[None])
        rewards = mean_rewards(stores) + noise.reshape(pulls.shape) / np.sqrt(1.0 + pulls)
        gammas = gamma_draws(stores.state["visits"], done, crn)
        return rewards, gammas / gammas.sum(axis=3, keepdims=True)


def gamma_draws(events: Array, t: Array, crn: CommonRandomNumbers) -> Array:
    """Gamma numbers of shape 1 + ``events``; normalised, they are a Dirichlet draw.

    Each is the sum of 1 + ``events`` exponential numbers.

    Args:
        events: whole numbers, [N, ...].
        t: times of the random numbers, [N].
        crn: the random numbers of the N episodes.
    """
    flat = events.reshape(len(events), -1)
    draws = -np.log1p(-crn.uniform("times", t, np.arange(flat.shape[1])[None]))
    # Adds the k-th exponential number wherever there are at least k events.
    for k in range(1, int(flat.max(initial=0.0)) + 1):
        rows, cells = np.nonzero(flat >= k)
        index = cells + k * flat.shape[1]
        draws[rows, cells] -= np.log1p(-crn.select(rows).uniform("times", t[rows], index))
    return np.asarray(draws.reshape(events.shape))
