"""Kalman filters against conditioning of the joint normal law, and the two-arm grid's error."""

import numpy as np
import pytest

from metalocus.agents.catalogue import REFERENCES, best_reference, make_named
from metalocus.agents.references.normal.two_arms import TwoArmPlan
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting, make_family

RESTLESS, GAUSSIAN = "metalocus/RestlessBandit-v0", "metalocus/GaussianBandit-v0"
NOTHING = np.zeros((1, 0))


@pytest.mark.parametrize("pull_back", [0.0, 0.2, 1.0])
def test_the_filter_is_the_conditional_law(pull_back):
    """One arm's means over time are jointly normal, and so are its rewards with them."""
    kwargs = {"pull_back": pull_back, "drift_sd": 0.6, "prior_sd": 1.5, "sd": 0.8}
    agent = make_named("kalman_greedy", make_family(RESTLESS, **kwargs))
    pulls, rewards = [0, 0, 1, 0, 1, 1], [0.5, -1.0, 2.0, 0.3, 1.1, -0.7]
    stores = agent.start(1, np.random.default_rng(0))
    steps, kept = len(pulls) + 1, 1.0 - pull_back
    powers = np.tril(kept ** np.abs(np.subtract.outer(np.arange(steps), np.arange(steps))))
    covariance = powers @ np.diag([1.5**2, *[0.6**2] * (steps - 1)]) @ powers.T
    for t in range(steps):
        mean, sd = agent.belief(NOTHING, stores)
        for arm in range(2):
            seen = [s for s in range(t) if pulls[s] == arm]
            noisy = covariance[np.ix_(seen, seen)] + 0.8**2 * np.eye(len(seen))
            gain = np.linalg.solve(noisy, covariance[seen, t]) if seen else np.zeros(0)
            expected = gain @ np.array([rewards[s] for s in seen])
            assert mean[0, arm] == pytest.approx(expected, abs=1e-12)
            variance = covariance[t, t] - gain @ covariance[seen, t]
            assert sd[0, arm] ** 2 == pytest.approx(variance, abs=1e-12)
        if t < len(pulls):
            arguments = np.array([pulls[t]]), np.array([rewards[t]])
            stores = agent.learn(stores, NOTHING, *arguments)


def exact(horizon, prior, noise, kept, drift, size=2001):
    """Worth of either arm at first by difference of the means [G], [G] and [G].

    By every sequence of pulls, each with its own variances; the difference of the means on
    a fine grid, its expectation by Gauss-Hermite quadrature.
    """
    knots = np.linspace(-40.0, 40.0, size)
    z, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()

    def value(left, one, two):
        if left == 0:
            return np.zeros(size)
        return np.maximum(*arms(left, one, two))

    def arms(left, one, two):
        worths = []
        for arm, sign in ((0, 1.0), (1, -1.0)):
            spread = (one, two)[arm]
            explained = spread**2 / (spread + noise)
            after = [one, two]
            after[arm] -= explained
            then = value(left - 1, *(kept**2 * v + drift for v in after))
            moved = kept * (knots[:, None] + np.sqrt(explained) * z)
            worths.append(sign * knots / 2.0 + np.interp(moved, knots, then) @ weights)
        return worths

    return knots, *arms(horizon, prior, prior)


@pytest.mark.parametrize(
    "arguments", [(1.0, 1.0, 1.0, 0.25), (1.0, 1.0, 0.9, 0.25), (4.0, 1.0, 1.0, 0.0)]
)
def test_the_grid_agrees_with_every_sequence_of_pulls(arguments):
    """The optimal return from 0 to 0.2% above; every value within 0.3% of that return."""
    horizon = 5
    knots, one, other = exact(horizon, *arguments)
    plan = TwoArmPlan(horizon, *arguments)
    best = np.interp(0.0, knots, np.maximum(one, other))
    assert best <= plan.optimal_return * (1.0 + 1e-4) <= best * 1.002
    inside = np.flatnonzero(np.abs(knots) < 5.0)
    n = len(inside)
    mean = np.stack([knots[inside] / 2.0, -knots[inside] / 2.0], axis=1)
    spread = np.full((n, 2), arguments[0])
    values = plan.values(np.full(n, horizon), mean, spread)
    np.testing.assert_allclose(values[:, 0], one[inside], atol=0.003 * best)
    np.testing.assert_allclose(values[:, 1], other[inside], atol=0.003 * best)


def test_two_trials_by_hand():
    """The first pull moves a mean by N(0, 1/2); the second takes the better: E max(Z, 0)."""
    plan = TwoArmPlan(2, 1.0, 1.0, 1.0, 0.0)
    assert plan.optimal_return == pytest.approx(np.sqrt(0.5 / (2.0 * np.pi)), rel=1e-3)
    mean, sure = np.array([[3.0, 1.0]]), np.full((1, 2), 1e-12)
    np.testing.assert_allclose(plan.values(np.array([1]), mean, sure), [[3.0, 1.0]], atol=1e-6)
    np.testing.assert_allclose(plan.values(np.array([2]), mean, sure), [[6.0, 4.0]], atol=1e-3)


def test_values_with_a_pull_back_count_what_is_left_of_the_means():
    plan = TwoArmPlan(3, 0.0, 1.0, 0.5, 0.0)
    values = plan.values(np.array([3]), np.array([[4.0, 2.0]]), np.zeros((1, 2)))
    expected = [[4.0 + 2.0 + 1.0, 2.0 + 2.0 + 1.0]]
    np.testing.assert_allclose(values, expected, atol=1e-3)


@pytest.mark.parametrize("arm", [0.1, 1.0])
@pytest.mark.parametrize("other", [0.3, 1.0])
def test_arms_have_no_names(arm, other):
    plan = TwoArmPlan(6, 1.0, 1.0, 0.95, 0.1)
    mean, variance, left = np.array([[0.4, -0.3]]), np.array([[arm, other]]), np.array([4])
    values = plan.values(left, mean, variance)
    np.testing.assert_allclose(plan.values(left, mean[:, ::-1], variance[:, ::-1]), values[:, ::-1])


def above_chance(name, env_id, n, **kwargs):
    """Expected reward beyond random choice's on the same episodes, [N], and the agent."""
    agent = make_named(name, make_family(env_id, **kwargs))
    trace = rollout(agent, fresh_episodes(Setting(env_id, **kwargs), n, 5))
    return (trace.value - trace.means.mean(axis=2)).sum(axis=0), agent


@pytest.mark.parametrize(
    ("grid", "env_id", "others"),
    [
        ("restless_grid", RESTLESS, ["kalman_ucb", "kalman_thompson", "kalman_greedy"]),
        ("gaussian_grid", GAUSSIAN, ["gaussian_gittins", "knowledge_gradient", "gaussian_ucb"]),
    ],
)
def test_a_grid_earns_its_optimal_return_and_no_other_earns_more(grid, env_id, others):
    """Return within 0.5% of the plan's, which is an overestimate; four standard errors."""
    n = 2500
    earned, agent = above_chance(grid, env_id, n)
    error = earned.std() / n**0.5
    optimal = agent.plan.optimal_return
    assert 0.995 * optimal - 4 * error < earned.mean() < optimal + 4 * error
    for name in others:
        more = above_chance(name, env_id, n)[0] - earned
        assert more.mean() < 4 * more.std() / n**0.5


def test_means_that_stay_are_the_stationary_bandit():
    kwargs = {"horizon": 12, "prior_sd": 1.3, "sd": 0.7}
    still = make_named("restless_grid", make_family(RESTLESS, drift_sd=0.0, **kwargs))
    stationary = make_named("gaussian_grid", make_family(GAUSSIAN, **kwargs))
    one, other = (agent.start(1, np.random.default_rng(0)) for agent in (still, stationary))
    for action, reward in ((0, 1.0), (1, 0.3), (0, -0.5)):
        arguments = NOTHING, np.array([action]), np.array([reward])
        one, other = still.learn(one, *arguments), stationary.learn(other, *arguments)
        np.testing.assert_allclose(still.values(one), stationary.values(other), rtol=2e-3)


def test_the_control_can_only_be_guessed():
    for name in ("kalman_greedy", "kalman_ucb", "kalman_thompson", "restless_grid"):
        kwargs = {"pull_back": 1.0, "drift_sd": 1.0, "horizon": 6}
        agent = make_named(name, make_family(RESTLESS, **kwargs))
        trace = rollout(agent, fresh_episodes(Setting(RESTLESS, **kwargs), 50, 0))
        np.testing.assert_allclose(trace.probs, 0.5, atol=1e-9)


def test_thompson_and_the_bound_use_the_filters_variance():
    """An arm left alone grows uncertain: the bound turns to it, and Thompson does so more."""
    family = make_family(RESTLESS, drift_sd=0.5)
    agents = {name: make_named(f"kalman_{name}", family) for name in ("greedy", "ucb", "thompson")}
    stores = agents["greedy"].start(1, np.random.default_rng(0))
    odds = []
    for _ in range(12):
        reward = stores.state["mean"][0, 0] or 1.0  # what was expected, after the first
        stores = agents["greedy"].learn(stores, NOTHING, np.array([0]), np.array([reward]))
        odds.append({name: agent.act(NOTHING, stores)[0][0, 1] for name, agent in agents.items()})
    assert [one["greedy"] for one in odds] == [0.0] * 12
    assert odds[-1]["ucb"] == 1.0
    assert 0.1 < odds[0]["thompson"] < odds[-1]["thompson"] < 0.5


def test_reasons_and_standing():
    grid = REFERENCES["restless_grid"]
    assert "two arms" in grid.why_not(make_family(RESTLESS, n_arms=3))
    assert "at most 100" in grid.why_not(make_family(RESTLESS, horizon=200))
    assert best_reference(make_family(RESTLESS)).name == "restless_grid"
    assert best_reference(make_family(RESTLESS, n_arms=3)).name == "kalman_ucb"
