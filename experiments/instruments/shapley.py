"""Dividing the value of a game among its players, and what they earn only together or twice.

A game of n players is an array of values [2^n, ...]; bit i of the first index says whether
player i belongs to the coalition. Any further axes (trials, episodes) are separate games.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import factorial

import numpy as np

from metalocus.agents.agent import Array


def coalitions(players: Sequence[str]) -> dict[str, list[str]]:
    """Members of every coalition by its name, in the order of a game's first axis.

    The name is ``none``, ``all``, or the members joined by ``+``.
    """
    found = {}
    for coalition in range(2 ** len(players)):
        members = [player for i, player in enumerate(players) if coalition >> i & 1]
        name = "+".join(members)
        if len(members) in (0, len(players)):
            name = "all" if members else "none"
        found[name] = members
    return found


def shapley_values(value: Array) -> Array:
    """Each player's mean marginal value over all orders of joining, [2^n, ...] -> [n, ...].

    The shares add up to value[all] - value[none]. Shapley 1953, "A value for n-person games".
    """
    n = _players(value)
    shares = np.zeros((n, *value.shape[1:]))
    for i in range(n):
        for others in _without(n, 1 << i):
            size = others.bit_count()
            weight = factorial(size) * factorial(n - 1 - size) / factorial(n)
            shares[i] += weight * (value[others | 1 << i] - value[others])
    return shares


def shapley_interactions(value: Array) -> Array:
    """The interaction of every pair of players, [2^n, ...] -> [n (n - 1) / 2, ...].

    Pairs are in the order of ``itertools.combinations``.

    Positive if the pair has more value than its members apart (each needs the other),
    negative if less (each can stand in for the other). Grabisch & Roubens 1999, "An
    axiomatic approach to the concept of interaction among players in cooperative games".
    """
    n = _players(value)
    pairs = list(combinations(range(n), 2))
    interactions = np.zeros((len(pairs), *value.shape[1:]))
    for pair, (i, j) in enumerate(pairs):
        one, other = 1 << i, 1 << j
        for rest in _without(n, one | other):
            size = rest.bit_count()
            weight = factorial(size) * factorial(n - 2 - size) / factorial(n - 1)
            together = value[rest | one | other] - value[rest | one]
            interactions[pair] += weight * (together - value[rest | other] + value[rest])
    return interactions


def _players(value: Array) -> int:
    """How many players a game has."""
    return len(value).bit_length() - 1


def _without(n: int, left_out: int) -> list[int]:
    """Every coalition of n players that has no member of ``left_out``."""
    return [coalition for coalition in range(1 << n) if not coalition & left_out]
