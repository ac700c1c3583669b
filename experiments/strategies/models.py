"""Strategies: what the next choice would be, from what was chosen and what it paid.

A strategy gives its choice probabilities at every trial of a history, under P sets of parameters at
once, so that a gradient takes one pass. Read :class:`Strategy`, then :class:`Valued` (values of
objects and a softmax) and :class:`RescorlaWagner`.

Sources: Wilson & Collins 2019, "Ten simple rules for the computational modeling of behavioral
data"; what each strategy is from stands with it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import softmax

from metalocus.agents.agent import Array, best_arms, spread
from metalocus.experiments.strategies.evidence import Evidence, Objects

WINDOW = 10
"""Trials that `recent_winner` remembers, as proposed in the debate: (10, .1)."""
HAZARDS = np.array([0.002, 0.01, 0.05, 0.2, 0.5])
"""Grid of hazards that the volatile filter infers from, a factor of about 4 apart."""
LEVEL_HAZARD = 0.01
"""Chance a trial that the hazard changes, as in VolatileBandit."""


@dataclass(frozen=True)
class Parameter:
    """A number that is fitted.

    Attributes:
        name: as reported.
        low: least value.
        high: greatest value.
        log: whether it is searched on a logarithmic scale.
    """

    name: str
    low: float
    high: float
    log: bool = False

    def natural(self, x: Array) -> Array:
        """The parameter from its place between 0 and 1."""
        if self.log:
            return np.asarray(self.low * (self.high / self.low) ** x)
        return np.asarray(self.low + (self.high - self.low) * x)


RATE = Parameter("learning_rate", 0.001, 1.0)
INVERSE_TEMPERATURE = Parameter("inverse_temperature", 0.1, 1000.0, log=True)
SHARP = Parameter("inverse_temperature", 0.1, 100_000.0, log=True)
"""For values of policies that choose the best for sure, which may be nearly equal."""
LAPSE = Parameter("lapse", 1e-4, 1.0, log=True)


class Strategy(ABC):
    """A way to choose.

    Attributes:
        name: as reported.
        parameters: that are fitted.
    """

    name: str
    parameters: tuple[Parameter, ...] = ()

    @property
    def reported(self) -> list[str]:
        """Names of what is fitted, in its order."""
        return [each.name for each in self.parameters]

    @property
    def free(self) -> int:
        """How many numbers are fitted."""
        return len(self.parameters)

    @abstractmethod
    def log_probs(self, seen: Evidence, theta: Array) -> Array:
        """Logarithm of the choice probabilities, [P, T, N, K], under parameters [P, p]."""


class Random(Strategy):
    """Every action with equal probability."""

    name = "random"

    def log_probs(self, seen: Evidence, theta: Array) -> Array:
        """-log K."""
        return np.full((len(theta), *seen.shape), -np.log(seen.n_arms))


class Table(Strategy):
    """Fixed probabilities of the actions in each of some cells of the history.

    The best fit is the mean of the agent's own probabilities in each cell, so nothing is searched.

    Args:
        name: of the strategy.
        cells: how many.
        cell: of each trial, [T, N]; the number of cells where there is none, which is random.
    """

    def __init__(self, name: str, cells: int, cell: Callable[[Evidence], Array]) -> None:
        self.name, self.cells, self.cell = name, cells, cell

    @property
    def free(self) -> int:
        """At least a probability in each cell."""
        return self.cells

    def fitted(self, seen: Evidence, probs: Array) -> Array:
        """Mean probabilities in each cell, with one uniform choice more, [1, cells * K]."""
        member = np.arange(self.cells) == self.cell(seen)[..., None]
        total = np.einsum("tnc,tnk->ck", member, probs) + 1.0 / seen.n_arms
        mean: Array = total / total.sum(axis=1, keepdims=True)
        return mean.reshape(1, -1)

    def log_probs(self, seen: Evidence, theta: Array) -> Array:
        """The logarithm of the cell's probabilities."""
        table = theta.reshape(len(theta), self.cells, seen.n_arms)
        uniform = np.full((len(theta), 1, seen.n_arms), 1.0 / seen.n_arms)
        found: Array = np.log(np.concatenate([table, uniform], axis=1))[:, self.cell(seen)]
        return found


class Fixed(Strategy):
    """Probabilities that the history alone gives, and a uniformly random choice at times.

    Args:
        name: of the strategy.
        policy: probabilities at every trial, [T, N, K].
    """

    parameters = (LAPSE,)

    def __init__(self, name: str, policy: Callable[[Evidence], Array]) -> None:
        self.name, self.policy = name, policy

    def log_probs(self, seen: Evidence, theta: Array) -> Array:
        """log((1 - lapse) policy + lapse / K)."""
        lapse = theta[:, 0, None, None, None]
        found: Array = np.log((1.0 - lapse) * self.policy(seen) + lapse / seen.n_arms)
        return found


class Valued(Strategy):
    """A softmax of values, and a uniformly random choice at times.

    The probability of an action is (1 - lapse) softmax(inverse temperature * value) + lapse / K.
    """

    own: tuple[Parameter, ...] = ()
    """Parameters of the values."""
    slope: Parameter = INVERSE_TEMPERATURE

    @property
    def parameters(self) -> tuple[Parameter, ...]:  # type: ignore[override]
        """Those of the values, then those of the choice."""
        return (*self.own, self.slope, LAPSE)

    @abstractmethod
    def values(self, seen: Evidence, theta: Array) -> Array:
        """Values of the actions before every choice, [P, T, N, K]."""

    def log_probs(self, seen: Evidence, theta: Array) -> Array:
        """The logarithm of the softmax with lapses."""
        slope, lapse = (theta[:, i, None, None, None] for i in (-2, -1))
        return lapsing(slope * self.values(seen, theta), lapse)


def lapsing(logits: Array, lapse: Array) -> Array:
    """log((1 - lapse) softmax(logits) + lapse / K), [..., K]."""
    found: Array = np.log((1.0 - lapse) * softmax(logits, axis=-1) + lapse / logits.shape[-1])
    return found


class Constant(Valued):
    """Values that the history alone gives: a policy's index, its values, posterior means.

    Args:
        name: of the strategy.
        known: values at every trial, [T, N, K].
    """

    slope = SHARP

    def __init__(self, name: str, known: Callable[[Evidence], Array]) -> None:
        self.name, self.known = name, known

    def values(self, seen: Evidence, theta: Array) -> Array:
        """The same under all parameters."""
        return self.known(seen)[None]


# Learners, which change the values of objects trial by trial.


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


class Kalman(Learner):
    """Means of a Kalman filter for values that drift (Daw et al. 2006, "Cortical substrates...").

    Variances are in units of the rewards' noise: each value's begins at ``prior_variance`` and
    grows by ``drift`` a trial; the learning rate is v / (v + 1).
    """

    base = "kalman"
    own = (
        Parameter("drift", 1e-4, 1.0, log=True),
        Parameter("prior_variance", 0.01, 100.0, log=True),
    )

    def begin(self, rates: list[Array], shape: tuple[int, int, int]) -> Any:
        """Means of 1/2 and the prior variance."""
        return np.full(shape, 0.5), np.broadcast_to(rates[1], shape)

    def value(self, state: Any) -> Array:
        """The means."""
        mean: Array = state[0]
        return mean

    def update(self, state: Any, credit: Array, reward: Array, rates: list[Array]) -> Any:
        """One step of the filter for what was chosen, then the drift of all."""
        mean, variance = state
        gain = credit * variance / (variance + 1.0)
        return mean + gain * (reward - mean), variance * (1.0 - gain) + rates[0]


class LatentState(Learner):
    """One object is the good one, and another becomes so at a fixed hazard: the exact filter.

    It pays with ``p``, the others with 1 - ``p`` (Rabiner 1989, equations 19 to 21).
    """

    base = "latent_state"
    own = (Parameter("p", 0.5, 0.999), Parameter("hazard", 1e-4, 0.5, log=True))

    def begin(self, rates: list[Array], shape: tuple[int, int, int]) -> Any:
        """A uniform belief."""
        return np.full(shape, 1.0 / shape[-1])

    def update(self, state: Any, credit: Array, reward: Array, rates: list[Array]) -> Any:
        """Bayes' rule, then a switch."""
        belief = state * likelihood(credit, reward, rates[0])
        belief = belief / belief.sum(axis=-1, keepdims=True)
        elsewhere = (1.0 - belief) / (belief.shape[-1] - 1)
        return belief + rates[1] * (elsewhere - belief)


class VolatileFilter(Learner):
    """As ``latent_state``, with a hazard that is itself inferred and changes (Behrens et al. 2007).

    The hazard is one of ``HAZARDS`` and becomes another with ``LEVEL_HAZARD`` a trial.
    """

    base = "volatile_filter"
    own = (Parameter("p", 0.5, 0.999),)

    def begin(self, rates: list[Array], shape: tuple[int, int, int]) -> Any:
        """A uniform belief over hazards and objects, [P, N, H, O]."""
        cells = len(HAZARDS) * shape[-1]
        return np.full((*shape[:2], len(HAZARDS), shape[-1]), 1.0 / cells)

    def value(self, state: Any) -> Array:
        """The belief that each object is the good one."""
        good: Array = state.sum(axis=2)
        return good

    def update(self, state: Any, credit: Array, reward: Array, rates: list[Array]) -> Any:
        """Bayes' rule, a change of the hazard, then a switch at it."""
        belief = state * likelihood(credit, reward, rates[0])[:, :, None]
        belief = belief / belief.sum(axis=(2, 3), keepdims=True)
        others = (belief.sum(axis=2, keepdims=True) - belief) / (len(HAZARDS) - 1)
        belief = belief + LEVEL_HAZARD * (others - belief)
        total = belief.sum(axis=3, keepdims=True)
        elsewhere = (total - belief) / (belief.shape[-1] - 1)
        return belief + HAZARDS[:, None] * (elsewhere - belief)


def likelihood(credit: Array, reward: Array, p: Array) -> Array:
    """Of a reward [N, 1] if each object is the good one, [P, N, O]."""
    agrees = credit * reward + (1.0 - credit) * (1.0 - reward)
    found: Array = 1.0 - p + (2.0 * p - 1.0) * agrees
    return found


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


class UpperConfidenceBound(Valued):
    """Posterior mean + width sqrt(2 log(1 + t) / (n + 2)), as `ucb1_prior` (Auer et al. 2002)."""

    name = "ucb"
    slope = SHARP
    own = (Parameter("width", 0.005, 2.0, log=True),)

    def values(self, seen: Evidence, theta: Array) -> Array:
        """From counts; the prior is uniform."""
        _, pulls = counts(seen)
        t = np.arange(len(pulls))[:, None, None]
        bonus = np.sqrt(2.0 * np.log1p(t) / (pulls + 2.0))
        bound: Array = posterior_mean(seen) + theta[:, 0, None, None, None] * bonus
        return bound


# What the history alone gives.


def before(events: Array) -> Array:
    """Sum over the trials before each, [T, ...]."""
    total: Array = np.cumsum(events, axis=0) - events
    return total


def counts(seen: Evidence) -> tuple[Array, Array]:
    """Reward and pulls of every arm before each trial, [T, N, K]."""
    pulled = seen.objects["arms"].credit
    return before(pulled * seen.reward[..., None]), before(pulled)


def posterior_mean(seen: Evidence) -> Array:
    """Of every arm from a uniform prior, [T, N, K]."""
    won, pulls = counts(seen)
    mean: Array = (won + 1.0) / (pulls + 2.0)
    return mean


def repeated(objects: str) -> Callable[[Evidence], Array]:
    """1 for what was chosen last, [T, N, K]."""

    def known(seen: Evidence) -> Array:
        things = seen.objects[objects]
        last = np.concatenate([np.zeros_like(things.credit[:1]), things.credit[:-1]])
        return things.by_action(last)

    return known


def win_stay_lose_shift(objects: str) -> Callable[[Evidence], Array]:
    """Equal probability on objects that agree with the last trial, [T, N, K] (Robbins 1952).

    A reward agrees with what was chosen, its lack with all else.
    """

    def policy(seen: Evidence) -> Array:
        things = seen.objects[objects]
        agrees = (things.credit > 0.5) == (seen.reward > 0.5)[..., None]
        weights = np.concatenate([np.ones_like(agrees[:1]), agrees[:-1]]).astype(float)
        return proportional(things.by_action(weights))

    return policy


def recent_winner(objects: str) -> Callable[[Evidence], Array]:
    """The best mean reward in the last 10 trials, [T, N, K]; uniform before the first."""

    def policy(seen: Evidence) -> Array:
        things = seen.objects[objects]
        recent = [_recent(things.credit * seen.reward[..., None]), _recent(things.credit)]
        mean = np.where(recent[1] > 0.0, recent[0] / np.maximum(recent[1], 1.0), -1.0)
        return proportional(things.by_action(spread_last(mean)))

    return policy


def _recent(events: Array) -> Array:
    """Sum over the last ``WINDOW`` trials before each, [T, ...]."""
    total = np.concatenate([np.zeros_like(events[:1]), np.cumsum(events, axis=0)])
    first = np.maximum(np.arange(len(events)) - WINDOW, 0)
    found: Array = total[:-1] - total[first]
    return np.round(found, 9)


def spread_last(values: Array) -> Array:
    """Equal probability on the greatest values of the last axis, [T, N, O]."""
    flat = values.reshape(-1, values.shape[-1])
    return spread(best_arms(flat)).reshape(values.shape)


def proportional(weights: Array) -> Array:
    """Weights as probabilities over the last axis; uniform where there are none."""
    total = weights.sum(axis=-1, keepdims=True)
    uniform = np.full_like(weights, 1.0 / weights.shape[-1])
    found: Array = np.divide(weights, total, out=uniform, where=total > 0.0)
    return found


# The two-step task.


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


def everywhere(seen: Evidence) -> Array:
    """One cell for all trials, [T, N]."""
    return np.zeros(seen.action.shape, dtype=int)
