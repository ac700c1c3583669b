"""Shares and interactions against their definitions, for any game of few players."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from metalocus.experiments.probes.shapley import (
    coalition_name,
    shapley_interactions,
    shapley_values,
)

WORTHS = st.floats(-10, 10, allow_subnormal=False)
GAMES = st.integers(2, 4).flatmap(lambda n: arrays(np.float64, (2**n,), elements=WORTHS))


def players(worth):
    return int(np.log2(len(worth)))


def by_permutations(worth):
    """Mean marginal worth over all orders in which the players may join."""
    n = players(worth)
    orders = list(permutations(range(n)))
    shares = np.zeros(n)
    for order in orders:
        coalition = 0
        for player in order:
            shares[player] += worth[coalition | 1 << player] - worth[coalition]
            coalition |= 1 << player
    return shares / len(orders)


def pair_by_permutations(worth, i, j):
    """The same for the pair joining as one, of what it brings beyond its members alone."""
    n = players(worth)
    rest = [player for player in range(n) if player not in (i, j)]
    orders = list(permutations(["pair", *rest]))
    total = 0.0
    for order in orders:
        before = sum(1 << player for player in order[: order.index("pair")])
        with_i, with_j = before | 1 << i, before | 1 << j
        total += worth[with_i | with_j] - worth[with_i] - worth[with_j] + worth[before]
    return total / len(orders)


@given(GAMES)
def test_shares_are_the_mean_over_all_orders(worth):
    np.testing.assert_allclose(shapley_values(worth), by_permutations(worth), atol=1e-9)


@given(GAMES)
def test_interactions_are_the_mean_over_all_orders_of_the_merged_pair(worth):
    pairs = combinations(range(players(worth)), 2)
    expected = [pair_by_permutations(worth, i, j) for i, j in pairs]
    np.testing.assert_allclose(shapley_interactions(worth), expected, atol=1e-9)


@given(GAMES)
def test_shares_add_up_to_what_all_have_over_none(worth):
    np.testing.assert_allclose(shapley_values(worth).sum(), worth[-1] - worth[0], atol=1e-9)


@given(GAMES, st.data())
def test_a_player_who_changes_nothing_gets_nothing(worth, data):
    null = data.draw(st.integers(0, players(worth) - 1))
    worth = np.array([worth[coalition & ~(1 << null)] for coalition in range(len(worth))])
    np.testing.assert_allclose(shapley_values(worth)[null], 0.0, atol=1e-9)
    for pair, interaction in zip(
        combinations(range(players(worth)), 2), shapley_interactions(worth), strict=True
    ):
        assert null not in pair or abs(interaction) < 1e-9


@given(GAMES, st.data())
def test_renaming_the_players_renames_the_shares(worth, data):
    n = players(worth)
    order = data.draw(st.permutations(range(n)))
    renamed = np.empty_like(worth)
    for coalition in range(len(worth)):
        members = [order[i] for i in range(n) if coalition >> i & 1]
        renamed[sum(1 << member for member in members)] = worth[coalition]
    np.testing.assert_allclose(shapley_values(renamed)[order], shapley_values(worth), atol=1e-9)


@pytest.mark.parametrize(
    ("worth", "shares", "interaction"),
    [
        ([0, 1, 1, 1], [0.5, 0.5], -1),  # each can stand in for the other
        ([0, 0, 0, 1], [0.5, 0.5], 1),  # each needs the other
        ([0, 1, 2, 3], [1, 2], 0),  # independent
    ],
)
def test_redundancy_and_synergy_differ_in_the_interaction_alone(worth, shares, interaction):
    worth = np.array(worth, float)
    np.testing.assert_allclose(shapley_values(worth), shares)
    np.testing.assert_allclose(shapley_interactions(worth), [interaction])


def test_further_axes_are_separate_games():
    worth = np.random.default_rng(0).normal(size=(8, 5, 2))
    for place in np.ndindex(5, 2):
        one = worth[(slice(None), *place)]
        np.testing.assert_allclose(
            shapley_values(worth)[(slice(None), *place)], shapley_values(one)
        )
        np.testing.assert_allclose(
            shapley_interactions(worth)[(slice(None), *place)], shapley_interactions(one)
        )


def test_coalitions_are_named_by_their_members():
    names = [coalition_name(coalition, "abc") for coalition in range(8)]
    assert names == ["none", "a", "b", "a+b", "c", "a+c", "b+c", "all"]
