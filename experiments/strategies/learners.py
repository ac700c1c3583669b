"""Learners: strategies whose values of objects change trial by trial, by rules of the field."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from metalocus.agents.agent import Array
from metalocus.experiments.strategies.evidence import Evidence, Objects
from metalocus.experiments.strategies.strategy import RATE, Parameter, Valued


class Learner(Valued):
    """Values of objects that change with every reward.

    Args:
        objects: of which things the values are, see :class:`Objects`.
    """

    base: ClassVar[str]

    def __init__(self, objects: str = "arms") -> None:
        self.objects = objects
        self.name = self.base if objects == "arms" else f"{self.base}_{objects}"

    def values(self, seen: Evidence, theta: Array) -> Array:
        """One pass over the trials."""
        things: Objects = seen.objects[self.objects]
        trials, n, o = things.credit.shape
        rates = [theta[:, i, None, None] for i in range(theta.shape[1])]
        state = self.begin(rates, (len(theta), n, o))
        found = np.empty((len(theta), trials, n, o))
        for t in range(trials):
            found[:, t] = self.value(state)
            state = self.update(state, things.credit[t], seen.reward[t][:, None], rates)
        return things.by_action(found)

    def begin(self, rates: list[Array], shape: tuple[int, int, int]) -> Any:
        """What is known before the first trial; by default values of 1/2, [P, N, O]."""
        return np.full(shape, 0.5)

    def value(self, state: Any) -> Array:
        """The values in what is known, [P, N, O]."""
        value: Array = state
        return value

    @abstractmethod
    def update(self, state: Any, credit: Array, reward: Array, rates: list[Array]) -> Any:
        """What is known after a reward [N, 1] for objects of credit [N, O].

        The rates are the parameters in their order, [P, 1, 1] each.
        """


class RescorlaWagner(Learner):
    """Values move by a fixed part of the prediction error (Rescorla & Wagner 1972)."""

    base = "rescorla_wagner"
    own = (RATE,)

    def update(self, state: Any, credit: Array, reward: Array, rates: list[Array]) -> Any:
        """V += rate * credit * (reward - V)."""
        return state + rates[0] * credit * (reward - state)


class Asymmetric(Learner):
    """Another rate for gains than for losses (Niv et al. 2012, "Neural prediction errors...")."""

    base = "rescorla_wagner_asymmetric"
    own = (RATE, Parameter("loss_rate", 0.001, 1.0))

    def update(self, state: Any, credit: Array, reward: Array, rates: list[Array]) -> Any:
        """The rate depends on the sign of the prediction error."""
        error = credit * (reward - state)
        return state + np.where(error > 0.0, rates[0], rates[1]) * error


class Forgetting(Learner):
    """Values of what is not chosen go back to their start (Ito & Doya 2009)."""

    base = "rescorla_wagner_forgetting"
    own = (RATE, Parameter("forgetting_rate", 0.001, 1.0))

    def update(self, state: Any, credit: Array, reward: Array, rates: list[Array]) -> Any:
        """What is not chosen moves towards 1/2."""
        return state + np.where(credit > 0.0, rates[0] * (reward - state), rates[1] * (0.5 - state))


class Counterfactual(Learner):
    """What is not chosen is taken to have paid the contrary (Palminteri et al. 2017)."""

    base = "rescorla_wagner_counterfactual"
    own = (RATE, Parameter("counterfactual_rate", 0.001, 1.0))

    def update(self, state: Any, credit: Array, reward: Array, rates: list[Array]) -> Any:
        """What is not chosen moves towards 1 - reward."""
        other = rates[1] * (1.0 - reward - state)
        return state + np.where(credit > 0.0, rates[0] * (reward - state), other)


class StimulusRescorlaWagner(Valued):
    """A value of every action for every number of the stimulus (Widrow & Hoff 1960).

    The step is divided by the stimulus' squared length, so that a rate of 1 learns it at once.
    """

    name = "rescorla_wagner_stimulus"
    own = (RATE,)

    def values(self, seen: Evidence, theta: Array) -> Array:
        """One pass over the trials; weights [P, N, S, K]."""
        trials, n, k = seen.shape
        weights = np.zeros((len(theta), n, seen.stimulus.shape[2], k))
        found, rate = np.empty((len(theta), *seen.shape)), theta[:, 0, None, None]
        chosen = np.arange(k) == seen.action[..., None]
        length = np.maximum((seen.stimulus**2).sum(axis=2, keepdims=True), 1e-6)
        for t in range(trials):
            x = seen.stimulus[t]
            found[:, t] = 0.5 + np.einsum("ns,pnsk->pnk", x, weights)
            error = rate * chosen[t] * (seen.reward[t][:, None] - found[:, t])
            weights += (x / length[t])[:, :, None] * error[:, :, None]
        return found
