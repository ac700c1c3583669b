"""The plan of one known and one uncertain arm against nested sums, and its border."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from metalocus.agents.catalogue import best_reference, make_named
from metalocus.agents.references.normal.lifetime import LifetimePlan, border, worth_of_learning
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting

LIFETIME = "metalocus/LifetimeBandit-v0"


Z = np.linspace(-8.0, 8.0, 2001)
WEIGHTS = stats.norm.pdf(Z) / stats.norm.pdf(Z).sum()


def tried(mean, variance, noise, left):
    """Value of the uncertain arm, by a sum over the next posterior mean, [...] -> [...]."""
    if left == 1:
        return mean
    after = variance * noise**2 / (variance + noise**2)
    following = np.asarray(mean)[..., None] + np.sqrt(variance - after) * Z
    return mean + np.maximum(0.0, tried(following, after, noise, left - 1)) @ WEIGHTS


def test_values_are_those_of_nested_sums():
    for spread, noise, cost in ((1.0, 1.0, 1.0), (2.0, 0.5, 1.0), (0.5, 2.0, 0.2)):
        for horizon in (1, 2, 3):
            expected = tried(-cost, spread**2, noise, horizon)
            found = worth_of_learning(horizon, spread, noise, cost)
            assert found == pytest.approx(expected, abs=1e-3)


def test_the_border_of_two_trials_is_where_one_look_pays_for_itself():
    """-cost + E max(0, m) = 0 for the posterior mean m after one reward."""
    for noise, cost in ((1.0, 1.0), (0.5, 2.0)):

        def gain(spread, noise=noise, cost=cost):
            sd = spread**2 / np.sqrt(spread**2 + noise**2)
            z = cost / sd
            return -cost + sd * stats.norm.pdf(z) - cost * stats.norm.sf(z)

        root = brentq(gain, 0.1 * cost, 50.0 * cost)
        assert border(2, noise, cost) == pytest.approx(root, rel=2e-3)


def test_longer_lives_make_it_pay_to_learn_at_less_uncertainty():
    borders = [border(horizon) for horizon in (2, 4, 8)]
    assert borders == sorted(borders, reverse=True)
    assert borders[0] == pytest.approx(3.75, abs=0.01)
    for horizon, args in ((1, ()), (201, ()), (5, (1.0, 0.0))):
        with pytest.raises(InvalidTask):
            border(horizon, *args)


def test_the_policy_tries_on_one_side_of_the_border_and_never_on_the_other():
    at = border(6)
    for spread, tries in ((0.95 * at, False), (1.05 * at, True)):
        setting = Setting(LIFETIME, horizon=6, spread=spread)
        policy = make_named("lifetime_optimal", setting.family)
        assert best_reference(setting.family).name == "lifetime_optimal"
        trace = rollout(policy, fresh_episodes(setting, 100, 0))
        assert (trace.action[0] == int(tries)).all()
        assert trace.action.any() == tries


def test_it_earns_what_the_plan_says():
    setting = Setting(LIFETIME, horizon=15, spread=2.0)
    policy = make_named("lifetime_optimal", setting.family)
    total = rollout(policy, fresh_episodes(setting, 3000, 0)).value.sum(axis=0)
    assert total.mean() == pytest.approx(policy.optimal_return, abs=4 * total.std() / 3000**0.5)


def test_the_posterior_is_that_of_the_conjugate_prior():
    policy = make_named("lifetime_optimal", Setting(LIFETIME, spread=2.0, noise=0.5).family)
    stores = policy.start(1, np.random.default_rng(0))
    for reward in (0.3, 1.1, -0.4):
        stores = policy.learn(stores, np.zeros((1, 0)), np.array([1]), np.array([reward]))
    weights = np.array([1 / 4.0, 3 / 0.25])  # prior precision, that of three rewards
    expected = (weights[0] * -1.0 + weights[1] * np.mean([0.3, 1.1, -0.4])) / weights.sum()
    assert stores.state["mean"][0] == pytest.approx(expected)
    before = stores.state["mean"][0]
    stores = policy.learn(stores, np.zeros((1, 0)), np.array([0]), np.array([0.0]))
    assert stores.state["mean"][0] == before
    assert (stores.state["pulls"][0], stores.state["left"][0]) == (3, 16)


def test_play_that_left_the_plan_is_still_valued():
    """Two trials left after a pull among four: the known arm first, then either, by hand."""
    plan = LifetimePlan(4, 1.0, 1.0, 1.0)
    values = plan.values(np.array([1.0]), np.array([2.0]), np.array([0.4]))[0]
    assert values[0] == pytest.approx(0.4, abs=1e-3)
    assert values[1] == pytest.approx(tried(0.4, 0.5, 1.0, 2), abs=1e-3)
