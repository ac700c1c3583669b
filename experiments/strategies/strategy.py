"""Strategies: what the next choice would be, from what was chosen and what it paid.

A strategy gives its choice probabilities at every trial of a history, under P sets of parameters at
once, so that a gradient takes one pass. Read :class:`Strategy`, then :class:`Valued` (values of
objects and a softmax) and, in ``learners.py``, ``RescorlaWagner``.

Sources: Wilson & Collins 2019, "Ten simple rules for the computational modeling of behavioral
data"; what each strategy is from stands with it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from metalocus.agents.agent import Array
from metalocus.experiments.strategies.evidence import Evidence


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
