"""Shares and interactions against their definitions, for any game of few players."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from metalocus.experiments.instruments.shapley import (
    coalitions,
    shapley_interactions,
    shapley_values,
)

VALUES = st.floats(-10, 10, allow_subnormal=False)
GAMES = st.integers(2, 4).flatmap(lambda n: arrays(np.float64, (2**n,), elements=VALUES))


def players(value):
    return int(np.log2(len(value)))


def by_permutations(value):
    """Mean marginal value over all orders in which the players may join."""
    n = players(value)
    orders = list(permutations(range(n)))
    shares = np.zeros(n)
    for order in orders:
        coalition = 0
        for player in order:
            shares[player] += value[coalition | 1 << player] - value[coalition]
            coalition |= 1 << player
    return shares / len(orders)


def pair_by_permutations(value, i, j):
    """The same for the pair joining as one, of what it brings beyond its members alone."""
    n = players(value)
    rest = [player for player in range(n) if player not in (i, j)]
    orders = list(permutations(["pair", *rest]))
    total = 0.0
    for order in orders:
        before = sum(1 << player for player in order[: order.index("pair")])
        with_i, with_j = before | 1 << i, before | 1 << j
        total += value[with_i | with_j] - value[with_i] - value[with_j] + value[before]
    return total / len(orders)


@given(GAMES)
def test_shares_are_the_mean_over_all_orders(value):
    np.testing.assert_allclose(shapley_values(value), by_permutations(value), atol=1e-9)


@given(GAMES)
def test_interactions_are_the_mean_over_all_orders_of_the_merged_pair(value):
    pairs = combinations(range(players(value)), 2)
    expected = [pair_by_permutations(value, i, j) for i, j in pairs]
    np.testing.assert_allclose(shapley_interactions(value), expected, atol=1e-9)


@given(GAMES)
def test_shares_add_up_to_what_all_have_over_none(value):
    np.testing.assert_allclose(shapley_values(value).sum(), value[-1] - value[0], atol=1e-9)


@given(GAMES, st.data())
def test_a_player_who_changes_nothing_gets_nothing(value, data):
    null = data.draw(st.integers(0, players(value) - 1))
    value = np.array([value[coalition & ~(1 << null)] for coalition in range(len(value))])
    np.testing.assert_allclose(shapley_values(value)[null], 0.0, atol=1e-9)
    for pair, interaction in zip(
        combinations(range(players(value)), 2), shapley_interactions(value), strict=True
    ):
        assert null not in pair or abs(interaction) < 1e-9


@given(GAMES, st.data())
def test_renaming_the_players_renames_the_shares(value, data):
    n = players(value)
    order = data.draw(st.permutations(range(n)))
    renamed = np.empty_like(value)
    for coalition in range(len(value)):
        members = [order[i] for i in range(n) if coalition >> i & 1]
        renamed[sum(1 << member for member in members)] = value[coalition]
    np.testing.assert_allclose(shapley_values(renamed)[order], shapley_values(value), atol=1e-9)


@pytest.mark.parametrize(
    ("value", "shares", "interaction"),
    [
        ([0, 1, 1, 1], [0.5, 0.5], -1),  # each can stand in for the other
        ([0, 0, 0, 1], [0.5, 0.5], 1),  # each needs the other
        ([0, 1, 2, 3], [1, 2], 0),  # independent
    ],
)
def test_redundancy_and_synergy_differ_in_the_interaction_alone(value, shares, interaction):
    value = np.array(value, float)
    np.testing.assert_allclose(shapley_values(value), shares)
    np.testing.assert_allclose(shapley_interactions(value), [interaction])


def test_further_axes_are_separate_games():
    value = np.random.default_rng(0).normal(size=(8, 5, 2))
    for place in np.ndindex(5, 2):
        one = value[(slice(None), *place)]
        np.testing.assert_allclose(
            shapley_values(value)[(slice(None), *place)], shapley_values(one)
        )
        np.testing.assert_allclose(
            shapley_interactions(value)[(slice(None), *place)], shapley_interactions(one)
        )


def test_coalitions_are_named_by_their_members():
    found = coalitions("abc")
    assert list(found) == ["none", "a", "b", "a+b", "c", "a+c", "b+c", "all"]
    assert ["".join(members) for members in found.values()] == [
        *["", "a", "b", "ab", "c", "ac", "bc", "abc"]
    ]
