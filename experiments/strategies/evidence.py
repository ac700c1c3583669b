"""A history as the strategies read it: what was chosen, what paid, and what each choice is about.

Strategies hold values of *objects*. The objects of a bandit are its arms, those of the card-sorting
task the features that may be the rule too. So one learning rule is many strategies: of arms, of
features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy, one_hot
from metalocus.agents.references.bernoulli.index import IndexPolicy
from metalocus.envs import Family
from metalocus.envs.families.rule_switching import RuleSwitching
from metalocus.envs.families.two_step import TwoStep
from metalocus.experiments.strategies.histories import History, replayed

LEAST = 1e-12
"""Least probability of a reference's choice whose logarithm is taken; a lapse adds far more."""


@dataclass(frozen=True)
class Objects:
    """Things that may be worth something, O of them.

    Attributes:
        credit: 1 for each object that the choice of the trial stood for, else 0, [T, N, O].
        points: 1 where an object speaks for an action, [T, N, O, K]; None if objects are actions.
    """

    credit: Array
    points: Array | None = None

    def rows(self, which: Array | slice) -> Objects:
        """Those of some episodes."""
        points = None if self.points is None else self.points[:, which]
        return Objects(self.credit[:, which], points)

    def by_action(self, values: Array) -> Array:
        """The sum of the objects' values that speak for each action, [..., T, N, O] -> [..., K]."""
        if self.points is None:
            return values
        found: Array = np.einsum("...tno,tnok->...tnk", values, self.points)
        return found


@dataclass(frozen=True)
class Evidence:
    """A history of T choices in N episodes.

    On the two-step task these are the first-stage choices, each with what it led to.

    Attributes:
        action: [T, N].
        reward: of each, from 0 to 1, [T, N].
        stimulus: [T, N, S].
        objects: by name: ``arms``, ``features`` of cards, ``states`` of the two-step task.
        reached: on the two-step task the state reached and the second choice, [T, N] each.
        references: for each reference policy its values, or else the logarithm of its
            probabilities, [T, N, K].
        n_arms: actions K.
    """

    action: Array
    reward: Array
    stimulus: Array
    objects: Mapping[str, Objects]
    reached: tuple[Array, Array]
    references: Mapping[str, Array]
    n_arms: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """T, N, K."""
        trials, n = self.action.shape
        return trials, n, self.n_arms

    def rows(self, which: Array | slice) -> Evidence:
        """Some of the episodes."""
        return Evidence(
            self.action[:, which],
            self.reward[:, which],
            self.stimulus[:, which],
            {name: each.rows(which) for name, each in self.objects.items()},
            (self.reached[0][:, which], self.reached[1][:, which]),
            {name: each[:, which] for name, each in self.references.items()},
            self.n_arms,
        )


def scored(family: Family) -> slice:
    """The trials whose choices are explained: all, or the first stages of the two-step task."""
    return slice(None, None, 2) if isinstance(family, TwoStep) else slice(None)


def evidence(history: History, references: Mapping[str, ReferencePolicy]) -> Evidence:
    """What the strategies read of a history.

    Args:
        history: of whoever acted.
        references: policies that take it in, by the name of the strategy.
    """
    family, at = history.family, scored(history.family)
    low, high = family.reward_range
    fraction = (history.reward - low) / (high - low)
    action = history.action[at]
    reached = (action[:0], action[:0])  # nothing but on two-step
    arms = one_hot(action, family.n_arms)
    objects = {"arms": Objects(arms)}
    if isinstance(family, TwoStep):
        fraction = fraction[1::2]
        state = history.stimulus[1::2].argmax(axis=2) - 1
        reached = state, history.action[1::2] % family.second_choices
        objects["states"] = Objects(one_hot(state, 2))
    if isinstance(family, RuleSwitching):
        shape = (*action.shape, family.n_features, family.n_arms)
        points = history.stimulus[..., family.cue_size :].reshape(shape).astype(float)
        objects["features"] = Objects(np.einsum("tnfk,tnk->tnf", points, arms), points)
    read = {name: _read(policy, history)[at] for name, policy in references.items()}
    stimulus = history.stimulus[at].astype(float)
    return Evidence(action, fraction, stimulus, objects, reached, read, family.n_arms)


def _read(policy: ReferencePolicy, history: History) -> Array:
    """A reference's values on a history; the logarithm of its probabilities if it has none."""
    return np.stack([_worth(policy, *each) for each in replayed(policy, history, 0)])


def _worth(policy: ReferencePolicy, probs: Array, stores: object) -> Array:
    """Index, values or log-probabilities of a reference policy at one trial, [N, K]."""
    if isinstance(policy, IndexPolicy):
        return policy.index(stores)  # type: ignore[arg-type]
    values = policy.values(stores)  # type: ignore[arg-type]
    return np.log(np.maximum(probs, LEAST)) if values is None else values
