"""Sharing out a worth among players, with what they do only together or twice.

A game of n players is an array of worths [2^n, ...]; bit i of the first index says whether
player i belongs to the coalition. Any further axes (trials, episodes) are carried along.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def coalition_name(coalition: int, players: Sequence[str]) -> str:
    """``none``, ``all``, or the members joined by ``+``."""
    members = [player for i, player in enumerate(players) if coalition >> i & 1]
    if len(members) in (0, len(players)):
        return "all" if members else "none"
    return "+".join(members)


def shapley_values(worth: Array) -> Array:
    """Each player's mean marginal worth over all orders of joining, [2^n, ...] -> [n, ...].

    The shares add up to worth[all] - worth[none]. Shapley 1953, "A value for n-person games".
    """
    n = _players(worth)
    shares = np.zeros((n, *worth.shape[1:]))
    for i in range(n):
        for others in _without(n, 1 << i):
            size = others.bit_count()
            weight = factorial(size) * factorial(n - 1 - size) / factorial(n)
            shares[i] += weight * (worth[others | 1 << i] - worth[others])
    return shares


def shapley_interactions(worth: Array) -> Array:
    """The interaction of every pair of players, [2^n, ...] -> [n (n - 1) / 2, ...].

    Pairs are in the order of ``itertools.combinations``.

    Positive if the pair is worth more than its members apart (each needs the other),
    negative if less (each can stand in for the other). Grabisch & Roubens 1999, "An
    axiomatic approach to the concept of interaction among players in cooperative games".
    """
    n = _players(worth)
    pairs = list(combinations(range(n), 2))
    interactions = np.zeros((len(pairs), *worth.shape[1:]))
    for pair, (i, j) in enumerate(pairs):
        one, other = 1 << i, 1 << j
        for rest in _without(n, one | other):
            size = rest.bit_count()
            weight = factorial(size) * factorial(n - 2 - size) / factorial(n - 1)
            together = worth[rest | one | other] - worth[rest | one]
            interactions[pair] += weight * (together - worth[rest | other] + worth[rest])
    return interactions


def _players(worth: Array) -> int:
    """How many players a game has."""
    return len(worth).bit_length() - 1


def _without(n: int, left_out: int) -> list[int]:
    """Every coalition of n players that has no member of ``left_out``."""
    return [coalition for coalition in range(1 << n) if not coalition & left_out]
