"""Natural gradient, mirror descent and reinforcement comparison: a step as their sources say."""

from dataclasses import replace

import numpy as np
import torch

from metalocus.agents.agent import Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.online.learner import linear, softmax
from metalocus.agents.online.natural_gradient import FLOOR, natural_log_gradient
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting, make_family

BANDIT, RULES = "metalocus/BernoulliBandit-v0", "metalocus/RuleSwitching-v0"
NOTHING = np.zeros((1, 0))


def test_the_natural_step_is_the_gradient_through_the_inverse_of_a_numerical_fisher():
    """F is the expected Hessian of -log pi, by automatic differentiation of a small policy."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        x, weights = rng.normal(size=3), 0.2 * rng.normal(size=(3, 4))
        features, flat = torch.tensor(x), torch.tensor(weights).flatten()

        def log_pi(policy, action, features=features):
            return torch.log_softmax(features @ policy.view(3, 4), 0)[action]

        probs = torch.softmax(features @ flat.view(3, 4), 0).numpy()
        assert probs.min() > FLOOR
        fisher = sum(
            -probs[k] * torch.autograd.functional.hessian(lambda w, k=k: log_pi(w, k), flat).numpy()
            for k in range(4)
        )
        for action in range(4):
            slope = torch.func.grad(log_pi)(flat, action).numpy()
            found = natural_log_gradient(x[None], weights[None], np.array([action]))
            np.testing.assert_allclose(found.ravel(), np.linalg.pinv(fisher) @ slope, atol=1e-8)


def test_no_natural_step_divides_by_less_than_the_floor():
    weights = np.array([[[0.0, 8.0]]])
    (step,) = natural_log_gradient(np.ones((1, 1)), weights, np.array([0]))
    np.testing.assert_allclose(step[0], [0.5 / FLOOR, -0.5 / FLOOR])
    (likely,) = natural_log_gradient(np.ones((1, 1)), weights, np.array([1]))
    np.testing.assert_allclose(likely[0], [-0.5, 0.5], rtol=1e-3)


def test_mirror_descent_is_the_exponentiated_gradient_then_the_share():
    agent = make_named("mirror_descent", make_family(BANDIT, n_arms=3))
    agent.settings = replace(agent.settings, rate=0.5, baseline=0.2, share=0.1, mix=0.3)
    stores, p = agent.start(1, np.random.default_rng(0)), np.full(3, 1 / 3)
    for action, reward in [(0, 1.0), (2, 0.0), (0, 1.0), (1, 1.0), (1, 0.0)]:
        q = 0.7 * p + 0.1
        np.testing.assert_allclose(agent.act(NOTHING, stores)[0][0], q)
        p = p * np.exp(0.5 * np.eye(3)[action] * (reward - 0.2) / q[action])
        p = 0.9 * p / p.sum() + 0.1 / 3
        stores = agent.learn(stores, NOTHING, np.array([action]), np.array([reward]))
    np.testing.assert_allclose(softmax(stores.weights["policy"][:, 0])[0], p)


def test_mirror_descent_maximises_the_estimate_less_the_divergence():
    """Its definition: p' has the largest rate * <estimate, p'> - KL(p' || p) in the simplex."""
    agent = make_named("mirror_descent", make_family(BANDIT, n_arms=3))
    agent.settings = replace(agent.settings, rate=0.7, baseline=0.0, share=0.0, mix=0.0)
    before = np.array([0.2, 0.5, 0.3])
    weights = {"policy": np.log(before)[None, None]}
    stores = agent.learn(Stores(weights=weights), NOTHING, np.array([0]), np.array([1.0]))

    def worth(p):
        return 0.7 * p[..., 0] / before[0] - (p * np.log(p / before)).sum(-1)

    found = softmax(stores.weights["policy"][:, 0])[0]
    others = np.random.default_rng(0).dirichlet(np.ones(3), 20_000)
    assert worth(found) >= worth(others).max()
    assert worth(others).max() > worth(found) - 1e-3


def test_a_mirror_step_holds_at_its_stimulus_and_is_the_least_one():
    family = make_family(RULES)
    agent = make_named("mirror_descent", family)
    agent.settings = replace(agent.settings, rate=0.5, baseline=1.0, share=0.2, mix=0.1)
    x = np.zeros((1, family.stimulus_size))
    x[0, [0, 5, 10]] = 1.0
    stores = agent.learn(agent.start(1, None), x, np.array([2]), np.array([0.0]))
    p = np.full(4, 0.25) * np.exp(-0.5 * np.eye(4)[2] / 0.25)
    p = 0.8 * p / p.sum() + 0.05
    features = agent.features(x)
    np.testing.assert_allclose(softmax(linear(features, stores.weights["policy"]))[0], p)
    unseen = features[0] == 0.0
    assert not stores.weights["policy"][0, unseen].any()
    np.testing.assert_allclose(
        np.ptp(stores.weights["policy"][0, ~unseen], axis=0), 0.0, atol=1e-15
    )


def test_preferences_move_by_the_reward_above_the_reference_alone():
    """By hand: steps do not shrink as the policy becomes certain."""
    agent = make_named("reinforcement_comparison", make_family(BANDIT))
    agent.settings = replace(agent.settings, rate=2.0, decay=0.5, reference=0.5, reference_rate=0.1)
    stores = agent.start(1, np.random.default_rng(0))
    for action, reward in [(0, 1.0), (0, 1.0), (1, 0.0)]:
        stores = agent.learn(stores, NOTHING, np.array([action]), np.array([reward]))
    reference = [0.5, 0.55, 0.595]
    preferences = [(2 * 0.5 / 2 + 2 * (1 - reference[1])) / 2, -2 * reference[2]]
    np.testing.assert_allclose(stores.weights["policy"][0, 0], preferences)
    np.testing.assert_allclose(stores.weights["reference"], 0.9 * reference[2])


def test_a_rate_of_nothing_changes_no_choice():
    still = {
        "natural_gradient": {"rate": 0.0},
        "mirror_descent": {"rate": 0.0},
        "reinforcement_comparison": {"rate": 0.0},
    }
    for env_id in (BANDIT, RULES):
        setting = Setting(env_id)
        for name, change in still.items():
            agent = make_named(name, setting.family)
            agent.settings = replace(agent.settings, **change)
            trace = rollout(agent, fresh_episodes(setting, 20, 0), 0)
            np.testing.assert_allclose(trace.probs, 1.0 / setting.family.n_arms)


def test_annealing_divides_the_natural_step_by_the_trials_gone_by():
    agent = make_named("natural_gradient", make_family(BANDIT))
    agent.settings = replace(
        agent.settings, rate=1e-6, annealing=0.5, decay=0.0, baseline=0.0, baseline_rate=0.0
    )
    stores, moved = agent.start(1, np.random.default_rng(0)), []
    for _ in range(4):
        before = stores.weights["policy"][0, 0, 0]
        stores = agent.learn(stores, NOTHING, np.array([0]), np.array([1.0]))
        moved.append(stores.weights["policy"][0, 0, 0] - before)
    np.testing.assert_allclose(np.array(moved) / 1e-6, 1.0 / (1.0 + 0.5 * np.arange(4)), rtol=1e-4)
