"""Bayesian linear regression, one context at a time, against ridge regression on all."""

import numpy as np
import pytest
from scipy import special

from metalocus.agents.catalogue import best_reference, make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting, make_family

LINEAR = "metalocus/LinearBandit-v0"


def history(agent, trials=12, seed=0):
    """Stores after random pulls in 3 episodes, and the contexts, actions and rewards."""
    rng = np.random.default_rng(seed)
    stores, log = agent.start(3, rng), []
    for _ in range(trials):
        shown = rng.normal(size=(3, agent.n_features))
        action, reward = rng.integers(agent.n_arms, size=3), rng.normal(size=3)
        stores = agent.learn(stores, shown, action, reward)
        log.append((shown, action, reward))
    return stores, [np.array(part) for part in zip(*log, strict=True)]


@pytest.mark.parametrize(("prior_sd", "sd"), [(1.0, 0.5), (3.0, 0.1), (0.2, 2.0)])
def test_the_posterior_is_that_of_ridge_regression(prior_sd, sd):
    family = make_family(LINEAR, n_features=3, prior_sd=prior_sd, sd=sd)
    agent = make_named("linear_greedy", family)
    stores, (shown, action, reward) = history(agent)
    query = np.random.default_rng(1).normal(size=(3, 3))
    mean, spread = agent.belief(query, stores)
    for row in range(3):
        for arm in range(family.n_arms):
            pulled = action[:, row] == arm
            x, y = shown[pulled, row], reward[pulled, row]
            inverse = np.linalg.inv(x.T @ x / sd**2 + 3.0 / prior_sd**2 * np.eye(3))
            weights = inverse @ x.T @ y / sd**2
            assert mean[row, arm] == pytest.approx(query[row] @ weights, abs=1e-9)
            variance = query[row] @ inverse @ query[row]
            assert spread[row, arm] ** 2 == pytest.approx(variance, rel=1e-9)


def test_the_policies_choose_by_the_posterior():
    family = make_family(LINEAR, n_arms=2)
    agents = {name: make_named(f"linear_{name}", family) for name in ("greedy", "ucb", "thompson")}
    stores, _ = history(agents["greedy"])
    query = np.random.default_rng(1).normal(size=(3, 4))
    mean, sd = agents["greedy"].belief(query, stores)
    probs = {name: agent.act(query, stores)[0] for name, agent in agents.items()}
    np.testing.assert_array_equal(probs["greedy"].argmax(axis=1), mean.argmax(axis=1))
    bound = mean + agents["ucb"].width * sd
    np.testing.assert_array_equal(probs["ucb"].argmax(axis=1), bound.argmax(axis=1))
    gap = (mean[:, 0] - mean[:, 1]) / np.hypot(sd[:, 0], sd[:, 1])
    np.testing.assert_allclose(probs["thompson"][:, 0], special.ndtr(gap), atol=1e-7)


def test_without_noise_and_with_a_trial_for_each_feature_the_map_is_known():
    kwargs = {"n_arms": 2, "n_features": 3, "sd": 1e-4, "horizon": 40}
    agent = make_named("linear_thompson", make_family(LINEAR, **kwargs))
    trace = rollout(agent, fresh_episodes(Setting(LINEAR, **kwargs), 100, 0))
    regret = (trace.privileged_value.max(axis=2) - trace.value)[20:]
    assert regret.max() < 1e-3


def test_the_control_can_only_be_guessed():
    kwargs = {"prior_sd": 0.0, "horizon": 6}
    for name in ("linear_greedy", "linear_ucb", "linear_thompson"):
        agent = make_named(name, make_family(LINEAR, **kwargs))
        trace = rollout(agent, fresh_episodes(Setting(LINEAR, **kwargs), 50, 0))
        np.testing.assert_allclose(trace.probs, 1.0 / 3.0, atol=1e-9)


def test_the_bound_beats_greedy_and_thompson_and_all_beat_memory_of_one_trial():
    """Expected rewards on the same 800 episodes, by more than four standard errors."""
    earned = {}
    for name in ("linear_ucb", "linear_greedy", "linear_thompson", "wsls"):
        agent = make_named(name, make_family(LINEAR))
        earned[name] = rollout(agent, fresh_episodes(Setting(LINEAR), 800, 3)).value.sum(axis=0)
    assert best_reference(make_family(LINEAR)).name == "linear_ucb"
    for better, worse in (
        ("linear_ucb", "linear_greedy"),
        ("linear_greedy", "linear_thompson"),
        ("linear_thompson", "wsls"),
    ):
        more = earned[better] - earned[worse]
        assert more.mean() > 4 * more.std() / 800**0.5
