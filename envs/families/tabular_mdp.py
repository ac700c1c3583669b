"""Random tabular Markov decision processes, several inner episodes to an episode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metalocus.envs.checks import require, require_below, require_count
from metalocus.envs.common_random_numbers import LARGEST_NORMAL, CommonRandomNumbers
from metalocus.envs.family import Array, Family, Latents

REWARD_MEAN = 1.0
LONGEST_INNER = 10_000
"""Steps of an inner episode at most: at every reset the optimal values are computed by backward
induction, a step of Python each."""


class TabularMDP(Family):
    """A random Markov decision process, in which several inner episodes are played.

    ## Description
    An episode holds ``n_episodes`` inner episodes of ``inner_horizon`` steps in one and the
    same process, which is drawn anew for every episode. Its rewards and transitions have to
    be learned, and what is learned in one inner episode helps in the next. With
    ``n_tasks=1`` there is one process for all episodes: the control, in which nothing needs
    to be learned within them.

    ## Action Space
    ``Discrete(n_actions)``.

    ## Observation Space
    A stimulus of ``n_states`` + 1 numbers, the state one-hot and 1 at the start of an inner
    episode, then feedback (previous action and reward, first-step flag of the whole episode).

    ## Starting State
    Every inner episode starts in state 0. Mean rewards are drawn from N(1, 1) and the
    transitions of every state and action from the flat Dirichlet distribution.

    ## Rewards
    Gaussian of unit variance about the mean reward of state and action.

    ## Episode End
    Terminates after ``n_episodes * inner_horizon`` steps; never truncates.

    ## Information
    ``state``, ``inner`` (step within the inner episode), ``rewards``, ``transitions`` and
    ``optimal`` (optimal value of every action by inner step and state) only with
    ``reveal=True``.

    ## Arguments
    * ``n_states``: number of states. Default 10.
    * ``n_actions``: number of actions, at least 2. Default 5.
    * ``inner_horizon``: steps in an inner episode, at most 10,000. Default 10.
    * ``n_episodes``: inner episodes in an episode. Default 10.

    ## References
    Duan et al. 2016, "RL^2", section 3.2; Osband et al. 2013, "(More) efficient
    reinforcement learning via posterior sampling".

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "TabularMDP-v0"
    separates: ClassVar[str] = "learning a whole process and planning in it from learning what pays"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"n_states": 2, "n_actions": 2, "inner_horizon": 2, "n_episodes": 3},
        {"n_states": 1, "inner_horizon": 1},
        {"n_episodes": 1},
    )

    def __init__(
        self, n_states: int = 10, n_actions: int = 5, inner_horizon: int = 10, n_episodes: int = 10
    ) -> None:
        self.n_states = require_count("n_states", n_states, 1)
        self.n_arms = require_count("n_actions", n_actions, 2)
        self.inner_horizon = require_count("inner_horizon", inner_horizon, 1, LONGEST_INNER)
        self.n_episodes = require_count("n_episodes", n_episodes, 1)
        self.horizon = self.n_episodes * self.inner_horizon
        self.stimulus_size = self.n_states + 1
        most = 2.0 * LARGEST_NORMAL  # once for the mean, once for the noise about it
        self.reward_range = (REWARD_MEAN - most, REWARD_MEAN + most)

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """The process, ``optimal`` values of its actions, and the place in it.

        ``rewards`` [N, S, A], ``transitions`` [N, S, A, S], ``optimal`` [N, H, S, A],
        ``state`` [N], and ``inner`` [N], the step within the inner episode.
        """
        n, states, actions = len(crn), self.n_states, self.n_arms
        pairs, triples = np.arange(states * actions)[None], np.arange(states**2 * actions)[None]
        rewards = REWARD_MEAN + crn.normal("rewards", 0, pairs).reshape(n, states, actions)
        times = -np.log1p(-crn.uniform("transit", 0, triples)).reshape(n, states, actions, states)
        transitions = times / times.sum(axis=3, keepdims=True)  # of exponentials: flat Dirichlet
        start = np.zeros(n, dtype=np.int64)
        drawn = {"rewards": rewards, "transitions": transitions}
        return self.complete({**drawn, "state": start, "inner": start.copy()})

    def complete(self, latents: Latents) -> Latents:
        """The latents with ``optimal`` computed from the rewards and transitions."""
        rewards, transitions = latents["rewards"], latents["transitions"]
        return {**latents, "optimal": optimal_values(rewards, transitions, self.inner_horizon)}

    def means(self, latents: Latents) -> Array:
        """Mean rewards in the current state, [N, A]."""
        means: Array = latents["rewards"][np.arange(len(latents["state"])), latents["state"]]
        return means

    def privileged_value(self, latents: Latents) -> Array:
        """Optimal value of every action in the rest of the inner episode, [N, A].

        Later inner episodes do not depend on the action.
        """
        rows = np.arange(len(latents["state"]))
        value: Array = latents["optimal"][rows, latents["inner"], latents["state"]]
        return value

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """Gaussian reward and a transition; back to state 0 when the inner episode is over."""
        rows, state = np.arange(len(action)), latents["state"]
        mean = latents["rewards"][rows, state, action]
        reward = mean + crn.normal("reward", t, action)
        cumulative = np.cumsum(latents["transitions"][rows, state, action], axis=1)
        u = crn.uniform("next", t, action)[:, None] * cumulative[:, -1:]
        inner = latents["inner"] + 1
        over = inner == self.inner_horizon
        state = np.where(over, 0, (u >= cumulative[:, :-1]).sum(axis=1))
        return reward, {**latents, "state": state, "inner": np.where(over, 0, inner)}

    def stimulus(self, latents: Latents) -> Array:
        """One-hot state, and 1 at the start of an inner episode, [N, S + 1]."""
        shown = np.zeros((len(latents["state"]), self.stimulus_size), dtype=np.float32)
        shown[np.arange(len(shown)), latents["state"]] = 1.0
        shown[:, -1] = latents["inner"] == 0
        return shown

    @property
    def latent_size(self) -> int:
        """``rewards``, ``transitions`` and ``optimal`` of every pair, ``state`` and ``inner``."""
        pairs = self.n_states * self.n_arms
        return pairs * (1 + self.n_states + self.inner_horizon) + 2

    def check_task(self, latents: Latents) -> None:
        """State and inner step exist, transitions are distributions, the prior has the rewards."""
        require_below("state", latents["state"], self.n_states)
        require_below("inner", latents["inner"], self.inner_horizon)
        transitions = latents["transitions"]
        sums = bool(np.isclose(transitions.sum(axis=3), 1.0).all())
        require(sums and bool((transitions >= 0).all()), "transitions must be probabilities")
        possible = bool((np.abs(latents["rewards"] - REWARD_MEAN) <= LARGEST_NORMAL).all())
        require(possible, f"rewards must lie within {LARGEST_NORMAL} of {REWARD_MEAN}")


def optimal_values(rewards: Array, transitions: Array, horizon: int) -> Array:
    """Optimal value Q* of every action at inner step h, by backward induction, [N, H, S, A].

    Q_h(s, a) = r(s, a) + Σ_s' P(s' | s, a) max_a' Q_{h+1}(s', a'), and Q_H = 0.

    Args:
        rewards: expected, [N, S, A].
        transitions: [N, S, A, S].
        horizon: steps H of an episode.
    """
    n, states, actions = rewards.shape
    flat = transitions.reshape(n, states * actions, states)
    values = np.empty((n, horizon, states, actions))
    values[:, -1] = rewards
    for h in range(horizon - 2, -1, -1):
        best = values[:, h + 1].max(axis=2)
        values[:, h] = rewards + (flat @ best[:, :, None]).reshape(rewards.shape)
    return values
