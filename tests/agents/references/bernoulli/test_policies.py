"""The references that are a line of arithmetic, against that arithmetic by hand."""

import numpy as np
import pytest

from metalocus.agents.agent import Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting, make_family

BANDIT, REVERSAL = "metalocus/BernoulliBandit-v0", "metalocus/ReversalBandit-v0"


def bandit(name, **env_kwargs):
    return make_named(name, make_family(BANDIT, **env_kwargs))


def choice(policy, successes, failures):
    """Probabilities [K] from the counts of one episode."""
    counts = {"successes": np.array([successes], float), "failures": np.array([failures], float)}
    return policy.act(np.zeros((1, 0)), Stores(state=counts))[0][0]


def test_random_is_uniform():
    np.testing.assert_array_equal(
        bandit("random", n_arms=4).act(np.zeros((2, 0)), Stores())[0], 0.25
    )


def test_oracle_pulls_a_best_arm_at_every_trial():
    trace = rollout(bandit("oracle", n_arms=3), fresh_episodes(Setting(BANDIT, n_arms=3), 50, 0))
    np.testing.assert_allclose(trace.value, trace.means.max(axis=2))


def test_wsls_stays_after_a_win_and_moves_to_any_other_arm_after_a_loss():
    policy = bandit("wsls", n_arms=3)
    stores = policy.start(2, np.random.default_rng(0))
    np.testing.assert_allclose(policy.act(np.zeros((2, 0)), stores)[0], 1 / 3)
    stores = policy.learn(stores, np.zeros((2, 0)), np.array([1, 1]), np.array([1.0, 0.0]))
    expected = [[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]]
    np.testing.assert_array_equal(policy.act(np.zeros((2, 0)), stores)[0], expected)


def test_wsls_remembers_one_trial_only():
    policy = bandit("wsls", n_arms=2)
    nothing, stores = np.zeros((1, 0)), policy.start(1, np.random.default_rng(0))
    for reward in (0.0, 0.0, 1.0):
        stores = policy.learn(stores, nothing, np.array([0]), np.array([reward]))
    np.testing.assert_array_equal(policy.act(nothing, stores)[0], [[1.0, 0.0]])


def test_wsls_keeps_its_expected_rate_on_two_known_arms():
    """In the long run it is on arm 1 with chance (1-p2) / (2-p1-p2): a two-state Markov chain."""
    p1, p2 = 0.8, 0.4
    episodes = fresh_episodes(Setting(BANDIT, horizon=60), 2000, 0)
    episodes.set_task({"means": [p1, p2]})
    trace = rollout(bandit("wsls", horizon=60), episodes)
    stationary = (1 - p2) / (2 - p1 - p2)
    start = 0.5 - stationary  # dies out as (p1 + p2 - 1)^t
    expected = stationary + start * (p1 + p2 - 1.0) ** np.arange(60)
    np.testing.assert_allclose(trace.probs[..., 0].mean(axis=1), expected, atol=4 * 0.5 / 2000**0.5)


def test_greedy_spreads_over_the_arms_of_highest_mean():
    np.testing.assert_array_equal(
        choice(bandit("greedy", n_arms=3), [2, 2, 0], [0, 0, 0]), [0.5, 0.5, 0]
    )


@pytest.mark.parametrize(
    ("prior", "best"), [("uniform", 0), ("beta(1,9)", 0), ("beta(9,1)", 1), ("beta(0.1,0.1)", 0)]
)
def test_greedy_weighs_evidence_by_the_prior(prior, best):
    """3 of 4 is more than the prior mean of an untried arm unless the prior is high itself."""
    policy = bandit("greedy", n_arms=3, prior=prior)
    assert choice(policy, [3, 0, 0], [1, 0, 1]).argmax() == best


def test_epsilon_greedy_is_greedy_with_a_twentieth_spread_over_all_arms():
    probs = choice(bandit("epsilon_greedy", n_arms=4), [3, 0, 0, 3], [0, 1, 1, 0])
    np.testing.assert_allclose(probs, [0.4875, 0.0125, 0.0125, 0.4875])


@pytest.mark.parametrize("name", ["ucb1", "ucb1_untuned"])
def test_ucb1_tries_every_arm_first(name):
    np.testing.assert_allclose(choice(bandit(name, n_arms=3), [5, 0, 0], [0, 0, 0]), [0, 0.5, 0.5])


def test_ucb1_adds_the_width_to_the_mean():
    """9 of 10 against 1 of 2 after 12 pulls: the bounds by hand."""
    narrow = 0.9 + 0.1 * np.sqrt(2 * np.log(12) / 10), 0.5 + 0.1 * np.sqrt(2 * np.log(12) / 2)
    wide = 0.9 + np.sqrt(2 * np.log(12) / 10), 0.5 + np.sqrt(2 * np.log(12) / 2)
    assert narrow[0] > narrow[1]
    assert wide[0] < wide[1]
    counts = {"successes": np.array([[9.0, 1.0]]), "failures": np.array([[1.0, 1.0]])}
    for name, bounds in (("ucb1", narrow), ("ucb1_untuned", wide)):
        np.testing.assert_allclose(bandit(name).bound(Stores(state=counts))[0], bounds)


def test_ucb1_from_the_prior_counts_its_pseudo_pulls():
    counts = {"successes": np.array([[9.0, 0.0]]), "failures": np.array([[1.0, 0.0]])}
    width = 0.2 * np.sqrt(2 * np.log(11))
    bounds = [10 / 12 + width / np.sqrt(12), 1 / 2 + width / np.sqrt(2)]
    found = bandit("ucb1_prior").bound(Stores(state=counts))[0]
    np.testing.assert_allclose(found, bounds)


def test_rescorla_wagner_moves_by_its_rate_and_chooses_by_softmax():
    policy = bandit("rescorla_wagner", n_arms=2)
    nothing, stores = np.zeros((1, 0)), policy.start(1, np.random.default_rng(0))
    for reward in (1.0, 0.0):
        stores = policy.learn(stores, nothing, np.array([0]), np.array([reward]))
    value = (0.5 + 0.3 * 0.5) * 0.7
    np.testing.assert_allclose(stores.state["value"], [[value, 0.5]])
    probs, _ = policy.act(nothing, stores)
    np.testing.assert_allclose(np.log(probs[0, 0] / probs[0, 1]), 20.0 * (value - 0.5))


def test_rescorla_wagner_forgets_at_a_fixed_rate():
    """A reward weighs 0.7 less for each later pull, unlike in a count."""
    policy = make_named("rescorla_wagner", make_family(REVERSAL))
    nothing, values = np.zeros((2, 0)), []
    stores = policy.start(2, np.random.default_rng(0))
    for first in (np.array([1.0, 0.0]), np.ones(2), np.ones(2)):
        stores = policy.learn(stores, nothing, np.zeros(2, dtype=int), first)
        values.append(np.diff(-stores.state["value"][:, 0])[0])
    np.testing.assert_allclose(values, 0.3 * 0.7 ** np.arange(3))
