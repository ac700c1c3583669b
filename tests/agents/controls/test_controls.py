"""The controls: one way of counting, in different stores."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalocus.agents.agent import STORES, Stores
from metalocus.agents.catalogue import CONTROLS, make_named
from metalocus.agents.controls.counting import Counting
from metalocus.agents.controls.two_stores import MODULUS, CountsSplit
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import FAMILIES, Setting, make_family

BANDIT = "metalocus/BernoulliBandit-v0"
NAMES = sorted(CONTROLS)
COUNTING = [
    name
    for name in NAMES
    if issubclass(CONTROLS[name], Counting)
    and CONTROLS[name].__module__.rsplit(".", 1)[1] in ("one_store", "two_stores", "misleading")
]
"""Those that count and choose alike."""


def control(name, **env_kwargs):
    return make_named(name, make_family(BANDIT, **env_kwargs))


def history(n=6, trials=12, n_arms=3, seed=0):
    """Random actions and rewards of 0 or 1, both [T, N]."""
    rng = np.random.default_rng(seed)
    return rng.integers(n_arms, size=(trials, n)), rng.integers(2, size=(trials, n)).astype(float)


def told(agent, actions, rewards, seed=0):
    """Stores of an agent that was shown a history of actions and rewards, both [T, N]."""
    n = actions.shape[1]
    stores, nothing = agent.start(n, np.random.default_rng(seed)), np.zeros((n, 0))
    for action, reward in zip(actions, rewards, strict=True):
        stores = agent.learn(agent.act(nothing, stores)[1], nothing, action, reward)
    return stores


def counted(actions, rewards, n_arms):
    """Successes and failures [N, K, 2], by a plain loop."""
    table = np.zeros((actions.shape[1], n_arms, 2))
    for t, n in np.ndindex(actions.shape):
        table[n, actions[t, n], 0 if rewards[t, n] else 1] += 1
    return table


def test_known_shares_are_of_the_three_stores_and_add_to_everything_or_nothing():
    for name in NAMES:
        known = CONTROLS[name].known_shares
        assert not known or set(known) == set(STORES), name
        assert sum(known.values()) in (0.0, 1.0), name


@pytest.mark.parametrize("name", COUNTING)
def test_table_is_the_count_of_the_history(name):
    actions, rewards = history()
    agent = control(name, n_arms=3)
    table = agent.table(told(agent, actions, rewards))
    np.testing.assert_array_equal(table, counted(actions, rewards, 3))


@pytest.mark.parametrize("name", COUNTING)
def test_pulls_the_arm_of_highest_posterior_mean(name):
    agent = control(name, n_arms=3)
    nothing = np.zeros((1, 0))
    # means: arm 0 (1 + 1) / (2 + 1), arm 1 (1 + 3) / (2 + 4), arm 2 untried 1 / 2
    stores = told(agent, np.array([[0], [1], [1], [1], [1]]), np.array([[1.0], [1], [0], [1], [1]]))
    np.testing.assert_array_equal(agent.act(nothing, stores)[0], [[0.5, 0.5, 0.0]])
    stores = agent.learn(stores, nothing, np.array([1]), np.array([1.0]))
    np.testing.assert_array_equal(agent.act(nothing, stores)[0], [[0.0, 1.0, 0.0]])


@pytest.mark.parametrize("name", COUNTING)
def test_whatever_the_store_the_behaviour_is_the_same_bit_for_bit(name):
    traces = [
        rollout(control(which, n_arms=4), fresh_episodes(Setting(BANDIT, n_arms=4), 200, 0))
        for which in (name, "counts_in_state")
    ]
    for part in ("action", "reward", "probs"):
        np.testing.assert_array_equal(*(getattr(trace, part) for trace in traces))


TELLS_NOTHING = {
    "counts_alternating": {"context"},  # its clock
    "constant_gain": {"weights"},
    "flagged": {"state"},
}
"""Stores that change and hold no knowledge, by control."""


def test_what_is_known_stands_in_the_declared_stores():
    for name in COUNTING:
        agent = control(name, n_arms=3)
        start = agent.start(6, np.random.default_rng(0))
        end = told(agent, *history())
        changed = {store for store in STORES if start.digest(store) != end.digest(store)}
        holding = {store for store, share in agent.known_shares.items() if share}
        if name == "pointer":  # what it points to changes instead
            assert not changed
        else:
            assert changed == holding | TELLS_NOTHING.get(name, set()), name


def test_no_array_that_is_given_is_changed():
    for name in NAMES:
        episodes = next(filter(None, map(partial(playable, name), FAMILIES)))
        agent = make_named(name, episodes.family)

        given = []

        def observe(trial, given=given):
            given.append((trial.stores, [trial.stores.digest(store) for store in STORES]))

        rollout(agent, episodes, observe=observe)
        for stores, digests in given:
            assert [stores.digest(store) for store in STORES] == digests, name


def playable(name, env_id):
    """Three episodes of a family in one of its forms that the control can play, if there is one."""
    for kwargs in ({}, *FAMILIES[env_id].examples):
        setting = Setting(env_id, **kwargs)
        if CONTROLS[name].why_not(setting.family) is None:
            return fresh_episodes(setting, 3, 0)
    return None


def test_rewards_count_by_their_place_in_the_range():
    family = make_family(BANDIT, n_arms=2)
    family.reward_range = (-1.0, 3.0)
    agent = make_named("counts_in_state", family)
    table = agent.table(told(agent, np.array([[0], [0], [1]]), np.array([[-1.0], [2.0], [3.0]])))
    np.testing.assert_array_equal(table, [[[0.75, 1.25], [1.0, 0.0]]])


def test_weights_hold_the_table_as_a_matrix_on_a_constant_input():
    agent = control("counts_in_weights", n_arms=3)
    actions, rewards = history()
    layer = told(agent, actions, rewards).weights["layer"]
    np.testing.assert_array_equal(layer @ [1.0], counted(actions, rewards, 3))


def test_alternating_halves_are_the_trials_in_turn():
    agent = control("counts_alternating", n_arms=3)
    actions, rewards = history(n=40)
    stores = told(agent, actions, rewards)
    even, odd = (counted(actions[first::2], rewards[first::2], 3) for first in (0, 1))
    state_first = agent.start(40, np.random.default_rng(0)).context["clock"] == 1
    assert 10 < state_first.sum() < 30
    expected = np.where(state_first[:, None, None], even, odd)
    np.testing.assert_array_equal(stores.state["table"], expected)
    np.testing.assert_array_equal(stores.weights["layer"][..., 0], even + odd - expected)


def test_redundant_table_survives_the_loss_of_either_copy():
    agent = control("counts_redundant", n_arms=3)
    stores = told(agent, *history())
    start = agent.start(6, np.random.default_rng(0))
    for lost in ("state", "weights"):
        np.testing.assert_array_equal(
            agent.table(stores.restore(start, [lost])), agent.table(stores)
        )


def test_half_of_a_split_table_says_nothing_of_it():
    """Under the same pad every table is as likely: the state is uniform below the modulus."""
    agent = control("counts_split")
    actions, rewards = np.zeros((30, 4000), int), np.ones((30, 4000))
    padded = told(agent, actions, rewards).state["padded"][:, 0, 0] / MODULUS
    assert np.all((padded >= 0) & (padded < 1))
    counts = np.histogram(padded, 10, (0, 1))[0]
    assert ((counts - 400) ** 2 / 400).sum() < 27.9  # chi-square with 9 degrees, p = .001


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=30))
def test_split_table_is_recovered_exactly_and_repadded_at_every_trial(trials):
    agent = CountsSplit(make_family(BANDIT))
    actions = np.array([[action] for action, _ in trials])
    rewards = np.array([[float(reward)] for _, reward in trials])
    before, after = told(agent, actions[:-1], rewards[:-1]), told(agent, actions, rewards)
    np.testing.assert_array_equal(agent.table(after), counted(actions, rewards, 2))
    assert before.digest("weights") != after.digest("weights")


def test_fixed_bias_falls_from_arm_to_arm_and_carries_nothing():
    agent = control("fixed_bias", n_arms=3)
    stores = told(agent, *history())
    assert stores == Stores()
    probs, _ = agent.act(np.zeros((6, 0)), stores)
    np.testing.assert_allclose(probs, np.tile([3 / 6, 2 / 6, 1 / 6], (6, 1)))


def test_leaky_forgets_only_when_an_episode_starts():
    agent = control("leaky", n_arms=3)
    actions, rewards = history()
    assert told(agent, actions, rewards) == Stores()
    np.testing.assert_array_equal(agent.table(Stores()), counted(actions, rewards, 3))
    agent.start(6, np.random.default_rng(0))
    assert not agent.table(Stores()).any()


def test_flagged_acts_as_a_fresh_agent_from_the_state_of_the_start_and_no_other():
    """So putting its stores back finds all of its knowledge in the state, where nothing is."""
    agent = control("flagged", n_arms=3)
    start = agent.start(6, np.random.default_rng(0))
    end = told(agent, *history())
    nothing = np.zeros((6, 0))
    fresh = np.full((6, 3), 1 / 3)
    np.testing.assert_allclose(agent.act(nothing, end.restore(start, STORES))[0], fresh)
    moved = end.rows([1, 2, 3, 4, 5, 0])
    np.testing.assert_array_equal(agent.act(nothing, moved)[0], agent.act(nothing, end)[0])


def test_pointer_takes_its_choices_along_where_its_stores_go():
    agent = control("pointer", n_arms=3)
    end, nothing, order = told(agent, *history()), np.zeros((6, 0)), [1, 2, 3, 4, 5, 0]
    choices, _ = agent.act(nothing, end)
    np.testing.assert_array_equal(agent.act(nothing, end.rows(order))[0], choices[order])
    assert len(np.unique(choices, axis=0)) > 1


def test_a_mixed_choice_is_the_sum_of_the_choices_by_both_tables():
    agent = control("counts_quarter", n_arms=3)
    start = agent.start(6, np.random.default_rng(0))
    end, nothing = told(agent, *history()), np.zeros((6, 0))
    known, fresh = control("counts_in_state", n_arms=3), np.full((6, 3), 1 / 3)
    choices, _ = known.act(nothing, told(known, *history()))
    for lost, part in (("weights", 0.25), ("state", 0.75)):
        probs, _ = agent.act(nothing, end.restore(start, [lost]))
        np.testing.assert_allclose(probs, part * choices + (1 - part) * fresh)
