"""The belief from what is shown against a grid, and the optimum where it is known."""

import numpy as np
import pytest

from metalocus.agents.agent import EXACT, NEAR
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting, make_family

SHOWN, BANDIT = "metalocus/ShownBandit-v0", "metalocus/BernoulliBandit-v0"


def test_posterior_means_are_those_of_a_grid_of_chances():
    p = (np.arange(20_000) + 0.5) / 20_000
    rng = np.random.default_rng(0)
    for honest in (0.0, 0.3, 0.8, 1.0):
        policy = make_named("shown_filter", make_family(SHOWN, honest=honest, horizon=15))
        counts = dict(
            zip(
                ("successes", "failures", "said_yes", "said_no"),
                rng.integers(4, size=(4, 9, 2)),
                strict=True,
            )
        )
        stores = policy.start(9, rng).updated(type(policy.start(1, rng))(state=counts))
        says = p * honest + (1 - p) * (1 - honest)
        found = policy.chance(stores)
        for row, arm in ((0, 0), (3, 1), (8, 0)):
            s, f, u, d = (counts[name][row, arm] for name in counts)
            density = p**s * (1 - p) ** f * says**u * (1 - says) ** d
            assert found[row, arm] == pytest.approx((p * density).sum() / density.sum(), abs=1e-6)


def test_all_that_is_seen_is_counted_once():
    policy = make_named("shown_filter", make_family(SHOWN, shown=0.5))
    stores = policy.start(2, np.random.default_rng(0))
    shown = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    _, stores = policy.act(shown, stores)
    stores = policy.learn(stores, shown, np.array([0, 1]), np.array([1.0, 0.0]))
    state = stores.state
    np.testing.assert_array_equal(state["successes"], [[1, 0], [0, 0]])
    np.testing.assert_array_equal(state["failures"], [[0, 0], [0, 1]])
    np.testing.assert_array_equal(state["said_yes"], 0)
    np.testing.assert_array_equal(state["said_no"], [[0, 1], [0, 0]])


def test_certain_displays_earn_whatever_can_be_earned():
    """Some arm pays with probability 1 - 1/4 on average over U[0, 1] squared, at every trial."""
    for honest in (0.0, 1.0):
        setting = Setting(SHOWN, honest=honest)
        policy = make_named("shown_filter", setting.family)
        assert policy.optimality(setting.family) == EXACT
        value, told = (
            rollout(each, fresh_episodes(setting, 1000, 0)).value
            for each in (policy, make_named("oracle", setting.family))
        )
        np.testing.assert_array_equal(value, told)
        total = value.sum(axis=0)
        assert total.mean() == pytest.approx(20 * 0.75, abs=4 * total.std() / 1000**0.5)


def test_a_display_that_tells_nothing_leaves_the_plain_bandits_optimum():
    plain = Setting(BANDIT, n_arms=2, horizon=10)
    expected = rollout(make_named("bayes_optimal", plain.family), fresh_episodes(plain, 200, 0))
    for kwargs in ({"shown": 0.0}, {"honest": 0.5}):
        setting = Setting(SHOWN, **kwargs, horizon=10)
        policy = make_named("shown_filter", setting.family)
        assert policy.optimality(setting.family) == EXACT
        trace = rollout(policy, fresh_episodes(setting, 200, 0))
        np.testing.assert_array_equal(trace.reward, expected.reward)


def test_a_display_that_is_partly_true_is_worth_something():
    setting = Setting(SHOWN, shown=0.5, honest=0.8)
    policy = make_named("shown_filter", setting.family)
    assert policy.optimality(setting.family) == NEAR
    blind = Setting(SHOWN, shown=0.0)
    known, plain = (
        rollout(make_named("shown_filter", each.family), fresh_episodes(each, 1000, 0)).value
        for each in (setting, blind)
    )
    gain = known.sum(axis=0) - plain.sum(axis=0)
    assert gain.mean() > 4 * gain.std() / 1000**0.5
