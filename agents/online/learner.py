"""Base of the online rules: a memoryless policy whose weights change after every transition.

The forward pass of an online learner reads the stimulus and its weights alone. The weights are
fresh in every episode and a fixed rule changes them at every transition. So these agents show
how well a plain RL algorithm learns inside an episode, without recurrence.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from metalocus.agents.agent import Array, NamedAgent, Store, Stores
from metalocus.agents.online.space import Range
from metalocus.agents.sizes import too_large
from metalocus.envs import Family, InvalidTask


@dataclass(frozen=True)
class RuleSettings:
    """Constants of a rule, all real numbers; infinity is a bound that is never reached.

    A rule takes a constant that is multiplied with arrays as :func:`per_row` gives it, since
    each may be an array [N] in place of a number (:func:`by_row`).

    Raises:
        InvalidTask: one is no real number, or NaN.
    """

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            real = isinstance(value, int | float | np.integer | np.floating)
            if not real or isinstance(value, bool) or math.isnan(value):
                raise InvalidTask(f"{field.name} must be a real number, got {value!r}")
            object.__setattr__(self, field.name, float(value))  # NumPy's numbers equal Python's


Settings = TypeVar("Settings", bound=RuleSettings)


class OnlineLearner(NamedAgent, Generic[Settings]):
    """A linear policy on [1, stimulus] with weights of its own in every episode.

    Class attributes:
        space: where each constant is searched for when the rule is tuned; one that it leaves out
            stays as it is untuned.
        untuned: settings chosen before any task was seen, each with its reason.
        tuned: settings by family name and number of arms, found on episodes that are not
            reported; beside each table stands how: as the best of 400 draws, or by a search of
            ``python -m metalocus.experiments.tuning``. Both searched older ranges, at places
            narrower than ``space``. Where rules are compared they are tuned anew, all alike.

    Args:
        family: the tasks it will play.
        settings: of the rule; if None, those tuned for the family and number of arms, or
            the first in ``tuned`` where there are none.
    """

    space: ClassVar[Mapping[str, Range]]
    untuned: ClassVar[Any]
    tuned: ClassVar[Mapping[tuple[str, int], object]]

    def __init__(self, family: Family, settings: Settings | None = None) -> None:
        super().__init__(family)
        first = next(iter(self.tuned.values()))
        chosen = self.tuned.get((family.name, family.n_arms), first)
        self.settings: Settings = chosen if settings is None else settings  # type: ignore[assignment]

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only tasks whose weights [F, K] fit into memory can be played."""
        inputs = 1 + family.stimulus_size
        what = f"its weights from {inputs} inputs to {family.n_arms} actions"
        return too_large(what, 8 * inputs * family.n_arms)

    def features(self, stimulus: Array) -> Array:
        """Inputs of the policy: a constant 1 and the stimulus, [N, S] -> [N, F] of F = 1 + S."""
        return np.concatenate([np.ones((len(stimulus), 1)), stimulus], axis=1)

    def fresh_weights(self, n: int, constant: float | Array = 0.0) -> Array:
        """[N, F, K]: the given weight for the constant input, 0 for the stimulus."""
        weights = np.zeros((n, 1 + self.family.stimulus_size, self.n_arms))
        weights[:, 0] = per_row(constant, weights[:, 0])
        return weights

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Complete the last update with this stimulus, then apply the policy, [N, K]."""
        x = self.features(stimulus)
        weights = self.bootstrap(stores.weights, x)
        return self.policy(weights, x), replace(stores, weights=weights)

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Change the weights by the rule; rewards are scaled to the family's range, 0 to 1."""
        scaled = self.reward_fraction(reward)
        return replace(
            stores, weights=self.update(stores.weights, self.features(stimulus), action, scaled)
        )

    def bootstrap(self, weights: Store, x: Array) -> Store:
        """The part of the last update that needs the next features x [N, F]; default: none."""
        return weights

    def end_episode(self, weights: Store) -> Store:
        """The weights that a next episode begins with if they are kept between episodes."""
        return weights

    @abstractmethod
    def policy(self, weights: Store, x: Array) -> Array:
        """Probabilities of the actions [N, K] from features x [N, F]."""

    @abstractmethod
    def update(self, weights: Store, x: Array, action: Array, reward: Array) -> Store:
        """The rule: new weights from features x [N, F], action [N] and reward [N] in [0, 1]."""


def by_row(tried: Sequence[Settings], size: int) -> Settings:
    """Several choices of constants for one learner: the first ``size`` rows have the first of them.

    Every constant of what is returned is an array [N] of N = ``size`` times as many as are tried.
    """
    rows = copy(tried[0])
    for field in fields(rows):
        constants = [getattr(settings, field.name) for settings in tried]
        object.__setattr__(rows, field.name, np.repeat(constants, size))
    return rows


def per_row(constant: float | Array, like: Array) -> Array:
    """A constant as it is multiplied with an array [N, ...]: [N] becomes [N, 1, ...]."""
    constants: Array = np.asarray(constant)
    return constants.reshape(-1, *[1] * (like.ndim - 1)) if constants.ndim else constants


def linear(x: Array, weights: Array) -> Array:
    """Each episode's own linear layer, [N, F] and [N, F, K] -> [N, K]."""
    output: Array = np.einsum("nf,nfk->nk", x, weights)
    return output


def softmax(logits: Array) -> Array:
    """Softmax over the last axis, [N, K] -> [N, K]."""
    rows = np.ascontiguousarray(logits.T)  # NumPy sums over a short last axis number by number
    odds = np.exp(rows - rows.max(axis=0))
    probs: Array = odds / odds.sum(axis=0)
    return probs.T
