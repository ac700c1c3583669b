"""Two strategies, each in some of the episodes: which two, and in how many each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.special import logsumexp

from metalocus.agents.agent import Array
from metalocus.experiments.strategies.fitting import fitted, surprise
from metalocus.experiments.strategies.reader import Read, verdict
from metalocus.experiments.strategies.strategy import Strategy

WEIGHT_STEPS = 20
"""Of expectation maximisation for the parts alone; episodes are mostly of one or the other."""
ROUNDS = 4
"""Of fitting both anew to their own episodes; two do where the parts are pure."""
FEWEST = 2
"""Episodes that a strategy is fitted to."""


@dataclass(frozen=True)
class Mixture:
    """Two strategies that play whole episodes.

    Attributes:
        strategies: the two.
        parameters: of each, [1, p].
        parts: of the episodes that each plays, [2].
    """

    strategies: tuple[Strategy, Strategy]
    parameters: tuple[Array, Array]
    parts: Array

    def of(self, read: Read) -> tuple[Array, Array]:
        """Cross-entropy of the mixture, nats a choice, [N]; 1 where the first is nearer, else 0."""
        losses = np.stack(
            [
                surprise(each.log_probs(read.seen, theta)[0], read.probs)
                for each, theta in zip(self.strategies, self.parameters, strict=True)
            ]
        )
        loss, _ = mixed(losses, self.parts, len(read.probs))
        return loss, (losses[0] < losses[1]).astype(float)


def best_mixture(
    strategies: Sequence[Strategy], parameters: Mapping[str, Array], read: Read, near: float
) -> Mixture:
    """The two strategies that explain most if each plays episodes of its own.

    The likelihood of an episode is w L_1 + (1 - w) L_2, with L the expected likelihood of its
    choices (a latent class model; Stephan et al. 2009, "Bayesian model selection for group
    studies"). Both are fitted anew to the episodes that each explains better, until none changes
    sides. If together they then explain more than any one, each gives way to the simplest strategy
    that explains its episodes as well as any: before, when both are fitted to all episodes, a pair
    that plays them may be hardly better than a simpler one.

    Args:
        strategies: to choose from.
        parameters: fitted to all episodes, by name, [1, p].
        read: the agent on the episodes that are fitted.
        near: differences up to this count for nothing.
    """
    trials = len(read.probs)
    losses = np.stack(
        [
            surprise(each.log_probs(read.seen, parameters[each.name])[0], read.probs)
            for each in strategies
        ]
    )
    pairs = np.array(list(combinations(range(len(strategies)), 2))).T  # [2, P]
    parts = _parts(losses[pairs], trials)
    found = mixed(losses[pairs], parts, trials)[0].mean(axis=1)
    best = int(np.argmin(found))
    one, other = pairs[:, best]
    mixture = Mixture(
        (strategies[one], strategies[other]),
        (parameters[strategies[one].name], parameters[strategies[other].name]),
        parts[:, best],
    )
    before: Array | None = None
    for _ in range(ROUNDS):
        first = mixture.of(read)[1] > 0.5
        same = before is not None and bool((first == before).all())
        if same or min(first.sum(), (~first).sum()) < FEWEST:
            break
        before, mixture = first, _refitted(mixture, read, first)
    alone = min(losses.mean(axis=1))
    if before is None or alone - mixture.of(read)[0].mean() <= near:
        return mixture
    simplest = [strategies[_simplest(strategies, read, own, near)] for own in (before, ~before)]
    return _refitted(replace(mixture, strategies=(simplest[0], simplest[1])), read, before)


def _simplest(strategies: Sequence[Strategy], read: Read, own: Array, near: float) -> int:
    """Which strategy explains some episodes best, the simplest of those as good.

    Args:
        strategies: to choose from.
        read: the agent on all episodes.
        own: the episodes, [N].
        near: differences up to this count for nothing.
    """
    seen, probs = read.seen.rows(own), read.probs[:, own]
    found = [
        surprise(each.log_probs(seen, fitted(each, seen, probs))[0], probs).mean()
        for each in strategies
    ]
    return verdict(found, [0.0] * len(found), [each.free for each in strategies], near).simplest


def mixed(losses: Array, parts: Array, trials: int) -> tuple[Array, Array]:
    """Cross-entropy of mixtures, nats a choice, [..., N]; probability of the first, [..., N].

    Args:
        losses: cross-entropy of each of two, nats a choice, [2, ..., N].
        parts: of the episodes that each plays, [2, ...].
        trials: choices of an episode.
    """
    logs = np.log(parts)[..., None] - trials * losses
    whole = logsumexp(logs, axis=0)
    return -whole / trials, np.exp(logs[0] - whole)


def _parts(losses: Array, trials: int) -> Array:
    """The parts of pairs of the episodes that explain most, [2, P]; none is 0.

    Args:
        losses: of the two of each pair, [2, P, N].
        trials: choices of an episode.
    """
    part = np.full(losses.shape[1], 0.5)
    least = 1.0 / (2.0 + losses.shape[2])
    for _ in range(WEIGHT_STEPS):
        first = mixed(losses, np.stack([part, 1.0 - part]), trials)[1]
        part = np.clip(first.mean(axis=1), least, 1.0 - least)
    return np.stack([part, 1.0 - part])


def _refitted(mixture: Mixture, read: Read, first: Array) -> Mixture:
    """Each of the two fitted to its own episodes, the first to those where ``first`` [N]."""
    parameters = []
    for strategy, own in zip(mixture.strategies, (first, ~first), strict=True):
        parameters.append(fitted(strategy, read.seen.rows(own), read.probs[:, own]))
    one, other = parameters
    part = np.clip(first.mean(), 1.0 / (2.0 + len(first)), 1.0 - 1.0 / (2.0 + len(first)))
    return Mixture(mixture.strategies, (one, other), np.array([part, 1.0 - part]))
