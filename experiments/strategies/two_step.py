"""Strategies of the first choice on the two-step task."""

from __future__ import annotations

import numpy as np

from metalocus.agents.agent import Array
from metalocus.experiments.strategies.evidence import Evidence
from metalocus.experiments.strategies.filters import LatentState
from metalocus.experiments.strategies.strategy import RATE, Parameter, Valued


class ModelFree(Valued):
    """SARSA(lambda) on the first choice (Daw et al. 2011 with w = 0)."""

    name = "model_free"
    own = (
        RATE,
        Parameter("second_rate", 0.001, 1.0),
        Parameter("eligibility", 0.0, 1.0),
        Parameter("perseveration", -1.0, 1.0),
    )

    def values(self, seen: Evidence, theta: Array) -> Array:
        """One pass over the trials: values of the first choices, and of the states."""
        one, two, trace, stick = (theta[:, i, None, None] for i in range(4))
        trials, n, _ = seen.shape
        first, second = np.zeros((len(theta), n, 2)), np.zeros((len(theta), n, 4))
        chosen = seen.objects["arms"].credit
        place = np.arange(4) == (2 * seen.reached[0] + seen.reached[1])[..., None]
        found = np.empty((len(theta), *seen.shape))
        for t in range(trials):
            found[:, t] = first + (stick * chosen[t - 1] if t else 0.0)
            value = (place[t] * second).sum(axis=2, keepdims=True)
            error = seen.reward[t][:, None] - value
            first = first + one * chosen[t] * (value + trace * error - first)
            second = second + two * place[t] * error
        return found


class ModelBased(Valued):
    """Plans with the true transitions over learned values of the states (Daw et al. 2011, w = 1).

    Args:
        transitions: probability that each first choice leads to each state, [2, 2].
        second_choices: that differ.
    """

    name = "model_based"
    own = (RATE, Parameter("perseveration", -1.0, 1.0))

    def __init__(self, transitions: Array, second_choices: int) -> None:
        self.transitions, self.second_choices = transitions, second_choices

    def values(self, seen: Evidence, theta: Array) -> Array:
        """One pass over the trials: values of the states' second choices, [P, N, 2, C]."""
        rate, stick = theta[:, 0, None, None, None], theta[:, 1, None, None]
        trials, n, _ = seen.shape
        second = np.zeros((len(theta), n, 2, self.second_choices))
        state, choice = seen.reached
        place = (np.arange(2) == state[..., None])[..., None] & (
            np.arange(self.second_choices) == choice[..., None]
        )[:, :, None]
        chosen, found = seen.objects["arms"].credit, np.empty((len(theta), *seen.shape))
        for t in range(trials):
            planned = second.max(axis=3) @ self.transitions.T
            found[:, t] = planned + (stick * chosen[t - 1] if t else 0.0)
            second = second + rate * place[t] * (seen.reward[t][:, None, None] - second)
        return found


class TwoStepLatentState(LatentState):
    """One of the two states pays with ``p``, the other with 1 - ``p``; plans with the transitions.

    Args:
        transitions: probability that each first choice leads to each state, [2, 2].
    """

    def __init__(self, transitions: Array) -> None:
        super().__init__("states")
        self.name = "latent_state"
        self.transitions = transitions

    def values(self, seen: Evidence, theta: Array) -> Array:
        """Chance that the state that each first choice leads to is the good one."""
        return super().values(seen, theta) @ self.transitions.T


def reward_as_cue(seen: Evidence) -> Array:
    """Which of the four pairs of state and reward was the last, 4 at first, [T, N] (Akam 2015)."""
    pair = 2 * seen.reached[0] + (seen.reward > 0.5)
    found: Array = np.concatenate([np.full_like(pair[:1], 4), pair[:-1]])
    return found
