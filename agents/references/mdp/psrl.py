"""Posterior sampling in random Markov decision processes."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.references.mdp.belief import PlanningPolicy, mean_rewards
from metalocus.envs.common_random_numbers import CommonRandomNumbers


class PosteriorSampling(PlanningPolicy):
    """Draws a process from the posterior for every inner episode and acts best in it.

    What is planned in the process drawn is kept in the state as ``plan`` [N, H, S, A]. The
    draws belong to the episode: they are a function of ``key`` [N], drawn at the start, and
    of the steps done.

    Source: Strens 2000, "A Bayesian framework for reinforcement learning"; Osband et al.
    2013, "(More) efficient reinforcement learning via posterior sampling", algorithm 1.
    """

    name: ClassVar[str] = "psrl"
    summary: ClassVar[str] = "posterior sampling: the best policy of a process drawn (Osband 2013)"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Nothing seen or planned, and a key to the chance of each row."""
        stores = super().start(n, rng)
        key = rng.integers(0, 2**63, size=n, dtype=np.uint64)
        plan = np.zeros((n, self.inner_horizon, self.n_states, self.n_arms))
        return replace(stores, state={**stores.state, "key": key, "plan": plan})

    def plan(self, stores: Stores) -> tuple[Array, Stores]:
        """A new plan where an inner episode starts, [N, H, S, A]."""
        begins = np.flatnonzero(stores.state["inner"] == 0)
        plan = stores.state["plan"]
        if len(begins):
            plan = plan.copy()
            plan[begins], _ = super().plan(stores.rows(begins))
        return plan, replace(stores, state={**stores.state, "plan": plan})

    def model(self, stores: Stores) -> tuple[Array, Array]:
        """Rewards and transitions drawn from their posteriors."""
        crn, pulls = CommonRandomNumbers(stores.state["key"]), stores.state["pulls"]
        done = pulls.sum(axis=(1, 2))
        noise = crn.normal("rewards", done, np.arange(pulls[0].size)[None])
        rewards = mean_rewards(stores) + noise.reshape(pulls.shape) / np.sqrt(1.0 + pulls)
        times = waiting_times(stores.state["visits"], done, crn)
        return rewards, times / times.sum(axis=3, keepdims=True)


def waiting_times(events: Array, t: Array, crn: CommonRandomNumbers) -> Array:
    """Gamma numbers of shape 1 + ``events``, as sums of that many exponential ones.

    Normalised, they are a Dirichlet draw.

    Args:
        events: whole numbers, [N, ...].
        t: [N] times of the random numbers.
    """
    flat = events.reshape(len(events), -1)
    times = -np.log1p(-crn.uniform("times", t, np.arange(flat.shape[1])[None]))
    for k in range(1, int(flat.max(initial=0.0)) + 1):
        rows, cells = np.nonzero(flat >= k)
        index = cells + k * flat.shape[1]
        times[rows, cells] -= np.log1p(-crn.select(rows).uniform("times", t[rows], index))
    return np.asarray(times.reshape(events.shape))
