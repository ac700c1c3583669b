"""Optimism in a random process: the best of several draws, a confidence set, a lower prior."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.references.mdp.policies import PosteriorSampling
from metalocus.agents.references.mdp.posterior import mean_rewards, mean_transitions

STREAMS = 1_000_000
"""Added to an episode's key for each further draw: a key is one of 2^63 at random."""


class ZeroMeanPosteriorSampling(PosteriorSampling):
    """Posterior sampling that takes mean rewards to be drawn from N(0, 1); they are from N(1, 1).

    The tables of Duan et al. 2016 and Mishra et al. 2018 have 138.1 for PSRL at 10 inner episodes,
    which is this prior's and not the true one's.
    """

    name: ClassVar[str] = "psrl_zero_mean"
    summary: ClassVar[str] = "posterior sampling, rewards taken to be N(0, 1) (as published)"

    def model(self, stores: Stores) -> tuple[Array, Array]:
        """As under the true prior; the prior's mean counts as one pull, so it is taken away."""
        rewards, transitions = super().model(stores)
        return rewards - 1.0 / (1.0 + stores.state["pulls"]), transitions


class OptimisticPosteriorSampling(PosteriorSampling):
    """Draws several processes and takes, at every step of the plan, the highest of their values.

    Class attributes:
        draws: 5; with 2 to 10 the return differs by less than its standard error (10 inner
            episodes, 500 episodes of seed 10,000).

    Source: Osband & Van Roy 2017, "Why is posterior sampling better than optimism for
    reinforcement learning?", and Agrawal & Jia 2017 for the maximum over draws.
    """

    name: ClassVar[str] = "opsrl"
    summary: ClassVar[str] = "posterior sampling, the highest value of several draws (Osband 2017)"
    draws: ClassVar[int] = 5

    def new_plan(self, stores: Stores) -> Array:
        """Backward induction on the highest value over the draws, [N, H, S, A]."""
        models = [self.model(_further(stores, draw)) for draw in range(self.draws)]
        rewards = np.stack([each for each, _ in models])  # [D, N, S, A]
        transitions = np.stack([each for _, each in models])
        values = np.empty((len(rewards[0]), self.inner_horizon, *rewards.shape[2:]))
        later = np.zeros((*values.shape[:1], self.n_states))
        for h in range(self.inner_horizon - 1, -1, -1):
            ahead = np.einsum("dnsat,nt->dnsa", transitions, later, optimize=True)
            values[:, h] = (rewards + ahead).max(axis=0)
            later = values[:, h].max(axis=2)
        return values


class ZeroMeanOptimistic(OptimisticPosteriorSampling, ZeroMeanPosteriorSampling):
    """Optimistic posterior sampling that takes mean rewards to be drawn from N(0, 1).

    The published 144.1 at 10 inner episodes is near this prior's return, not the true one's.
    """

    name: ClassVar[str] = "opsrl_zero_mean"
    summary: ClassVar[str] = (
        "optimistic posterior sampling, rewards taken to be N(0, 1) (as published)"
    )


class UCRL2(PosteriorSampling):
    """Plans in the most favourable process of a confidence set, anew for every inner episode.

    Mean rewards lie within scale sqrt(1 / (1 + n)) of their posterior mean, and transitions within
    scale sqrt(S / (S + n)) of theirs in L1: the form of the theorem's radii, whose constants and
    logarithm are replaced by one tuned factor, as in Duan et al. 2016.

    Class attributes:
        scale: 0.5, of 0.1, 0.2, 0.3, 0.5 and 1 the best at 10 inner episodes, 500 episodes of
            seed 10,000.

    Source: Jaksch, Ortner & Auer 2010, "Near-optimal regret bounds for reinforcement learning",
    figures 1 and 2.
    """

    name: ClassVar[str] = "ucrl2"
    summary: ClassVar[str] = "plans in the best process of a confidence set, tuned (Jaksch 2010)"
    scale: ClassVar[float] = 0.5

    def new_plan(self, stores: Stores) -> Array:
        """Extended value iteration, [N, H, S, A]."""
        pulls = stores.state["pulls"]
        rewards = mean_rewards(stores) + self.scale / np.sqrt(1.0 + pulls)
        visits = stores.state["visits"].sum(axis=3)
        radius = self.scale * np.sqrt(self.n_states / (self.n_states + visits))
        transitions = mean_transitions(stores)
        values = np.empty((len(pulls), self.inner_horizon, *pulls.shape[1:]))
        later = np.zeros((len(pulls), self.n_states))
        for h in range(self.inner_horizon - 1, -1, -1):
            values[:, h] = rewards + _most_favourable(transitions, radius, later)
            later = values[:, h].max(axis=2)
        return values


def _most_favourable(transitions: Array, radius: Array, later: Array) -> Array:
    """Highest mean of later values over transitions within an L1 radius, [N, S, A].

    Up to half of the radius is moved to the best state, taken from the worst ones first.

    Args:
        transitions: the set's centre, [N, S, A, S].
        radius: [N, S, A].
        later: values of the next states, [N, S].
    """
    order = np.argsort(-later, axis=1)
    ranked = np.take_along_axis(later, order, axis=1)[:, None, None]
    chances = np.take_along_axis(transitions, order[:, None, None], axis=3)
    moved = np.minimum(radius / 2.0, 1.0 - chances[..., 0])
    above = np.cumsum(chances, axis=3)  # what is kept of each state once the worst have lost
    kept = np.diff(np.minimum(above, (1.0 - moved)[..., None]), axis=3, prepend=0.0)
    favoured: Array = (kept * ranked).sum(axis=3) + moved * ranked[..., 0]
    return favoured


def _further(stores: Stores, draw: int) -> Stores:
    """Stores whose posterior gives another draw."""
    key = stores.state["key"] + np.uint64(draw * STREAMS)
    return replace(stores, state={**stores.state, "key": key})
