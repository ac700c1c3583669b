"""Policies for stationary Gaussian arms against independent computations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, interpolate, optimize, special, stats

from metalocus.agents.agent import EXACT, NEAR, UNRANKED, Stores
from metalocus.agents.catalogue import REFERENCES, best_reference, make_named
from metalocus.agents.references.gaussian.policies import gamma_rule
from metalocus.agents.references.normal.choices import chance_of_best
from metalocus.agents.references.normal.gittins_bonus import gittins_bonus
from metalocus.envs import make_family

GAUSSIAN = "metalocus/GaussianBandit-v0"
NOTHING = np.zeros((1, 0))
PULLS, REWARDS = [0, 1, 0, 0], [1.3, -0.4, 0.1, 2.2]


def policy(name, **kwargs):
    return make_named(name, make_family(GAUSSIAN, **kwargs))


def after(agent, pulls=PULLS, rewards=REWARDS):
    """Stores of one episode with this history."""
    stores = agent.start(1, np.random.default_rng(0))
    for action, reward in zip(pulls, rewards, strict=True):
        stores = agent.learn(stores, NOTHING, np.array([action]), np.array([reward]))
    return stores


def best_by_quadrature(mean, sd):
    """Chance of each arm to be the best, by adaptive quadrature in its own units."""

    def chance(k):
        def integrand(z):
            x = mean[k] + sd[k] * z
            others = [special.ndtr((x - mean[j]) / sd[j]) for j in range(len(mean)) if j != k]
            return np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi) * np.prod(others)

        steps = sorted((mean - mean[k]) / sd[k])
        steps = [z for z in steps if abs(z) < 9]
        return integrate.quad(integrand, -9, 9, points=steps, limit=400, epsabs=1e-11)[0]

    return np.array([chance(k) for k in range(len(mean))])


@pytest.mark.parametrize(("n_arms", "ratio"), [(2, 1), (3, 10), (5, 30), (3, 100)])
def test_chance_of_best_is_the_integral(n_arms, ratio):
    rng = np.random.default_rng(ratio)
    mean = rng.normal(size=(2, n_arms))
    sd = np.exp(rng.uniform(-np.log(ratio), 0, size=mean.shape))
    sd[:, :2] = 1.0 / ratio, 1.0
    for probs, m, s in zip(chance_of_best(mean, sd), mean, sd, strict=True):
        np.testing.assert_allclose(probs, best_by_quadrature(m, s), atol=1e-7)


@settings(max_examples=50, deadline=None)
@given(
    gap=st.floats(-50, 50),
    one=st.floats(0.01, 1),
    other=st.floats(0.01, 1),
    shift=st.floats(-1e3, 1e3),
    scale=st.floats(1e-3, 1e3),
    hopeless=st.sampled_from([[], [-100.0], [-200.0, -100.0]]),
)
def test_of_two_arms_it_is_the_normal_distribution_function(
    gap, one, other, shift, scale, hopeless
):
    """Also if other arms are there that cannot be the best."""
    mean = np.array([[gap, 0.0, *hopeless]]) + shift
    sd = np.array([[one, other, *np.ones(len(hopeless))]])
    expected = special.ndtr(gap / np.hypot(one, other))
    np.testing.assert_allclose(chance_of_best(mean * scale, sd * scale)[0, 0], expected, atol=1e-7)


def test_arms_that_are_known_are_best_or_not():
    probs = chance_of_best(np.array([[0.0, 0.0, -1.0], [2.0, 1.0, 1.0]]), np.zeros((2, 3)))
    np.testing.assert_allclose(probs, [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]], atol=1e-12)


@pytest.mark.parametrize(("prior_sd", "sd"), [(1.0, 1.0), (2.0, 0.5), (0.3, 3.0)])
def test_the_posterior_is_prior_times_likelihood(prior_sd, sd):
    agent = policy("gaussian_greedy", prior_sd=prior_sd, sd=sd)
    mean, spread = agent.belief(NOTHING, after(agent))
    grid = np.linspace(-10 * prior_sd, 10 * prior_sd, 20_001)
    for arm in range(2):
        density = stats.norm.pdf(grid, 0, prior_sd)
        for action, reward in zip(PULLS, REWARDS, strict=True):
            density = density * (stats.norm.pdf(reward, grid, sd) if action == arm else 1.0)
        density /= density.sum()
        assert mean[0, arm] == pytest.approx((density * grid).sum(), abs=1e-9)
        variance = (density * (grid - mean[0, arm]) ** 2).sum()
        assert spread[0, arm] ** 2 == pytest.approx(variance, rel=1e-6)


def test_the_posterior_of_unknown_noise_is_prior_times_likelihood():
    """On a grid of the noise's variance and both means."""
    agent = policy("gaussian_greedy", prior_sd=1.5, sd=None)
    stores = after(agent)
    v = np.exp(np.linspace(np.log(0.05), np.log(60), 300))[:, None, None]
    one, other = np.linspace(-9, 9, 181)[:, None], np.linspace(-9, 9, 181)
    density = stats.invgamma.pdf(v, 5.0, scale=4.0) * v  # v: an even grid of its logarithm
    for mean in (one, other):
        density = density * stats.norm.pdf(mean, 0, 1.5 * np.sqrt(v))
    for action, reward in zip(PULLS, REWARDS, strict=True):
        density = density * stats.norm.pdf(reward, (one, other)[action], np.sqrt(v))
    density /= density.sum()
    mean, scale = agent.belief(NOTHING, stores)
    shape, rate = agent.noise(stores)
    assert (density * v).sum() == pytest.approx(rate[0] / (shape[0] - 1.0), rel=1e-3)
    degrees = 2.0 * shape[0]
    for arm, value in ((0, one), (1, other)):
        assert (density * value).sum() == pytest.approx(mean[0, arm], abs=1e-4)
        variance = (density * (value - mean[0, arm]) ** 2).sum()
        assert scale[0, arm] ** 2 * degrees / (degrees - 2.0) == pytest.approx(variance, rel=1e-3)


def test_gauss_laguerre_rules_are_scipys():
    nodes, weights = gamma_rule(6.5, 8)
    expected, mass = special.roots_genlaguerre(8, 5.5)
    np.testing.assert_allclose(nodes, expected, rtol=1e-9)
    np.testing.assert_allclose(weights, mass / mass.sum(), rtol=1e-7, atol=1e-14)
    assert np.isfinite(gamma_rule(1000.0, 8)).all()


@pytest.mark.parametrize("prior_sd", [0.5, 2.0])
def test_thompson_under_unknown_noise_is_students_distribution_for_two_arms(prior_sd):
    agent = policy("gaussian_thompson", prior_sd=prior_sd, sd=None)
    for length in range(5):
        stores = after(agent, PULLS[:length], REWARDS[:length])
        mean, scale = agent.belief(NOTHING, stores)
        t = (mean[0, 0] - mean[0, 1]) / np.hypot(*scale[0])
        expected = stats.t.cdf(t, 2.0 * agent.noise(stores)[0][0])
        assert agent.act(NOTHING, stores)[0][0, 0] == pytest.approx(expected, abs=1e-4)


def test_thompson_under_unknown_noise_averages_over_it():
    agent = policy("gaussian_thompson", n_arms=3, sd=None)
    stores = after(agent, [0, 1, 2, 2], REWARDS)
    mean, variance = agent.means(stores)
    shape, scale = agent.noise(stores)
    law = stats.invgamma(shape[0], scale=scale[0])
    sd = np.sqrt(law.ppf((np.arange(4000) + 0.5) / 4000))[:, None] * np.sqrt(variance)
    expected = chance_of_best(np.repeat(mean, 4000, axis=0), sd).mean(axis=0)
    np.testing.assert_allclose(agent.act(NOTHING, stores)[0][0], expected, atol=1e-4)


@pytest.mark.parametrize("sd", [0.7, None])
@pytest.mark.parametrize("length", [0, 1, 4])
def test_the_knowledge_gradient_is_the_expected_rise_of_the_best_mean(sd, length):
    """By quadrature over the next reward of each arm, with Bayes' rule on every one."""
    agent = policy("knowledge_gradient", n_arms=3, sd=sd)
    stores = after(agent, PULLS[:length], REWARDS[:length])
    mean, variance = agent.means(stores)
    u = (np.arange(40_000) + 0.5) / 40_000
    for arm in range(3):
        scale = agent.noise_sd(stores)[0, 0] * np.sqrt(1.0 + variance[0, arm])
        law = stats.norm if sd else stats.t(2.0 * agent.noise(stores)[0][0])
        rewards = mean[0, arm] + scale * law.ppf(u)
        many = stores.rows(np.zeros(len(u), dtype=int))
        learnt = agent.learn(many, NOTHING, np.full(len(u), arm), rewards)
        rise = agent.means(learnt)[0].max(axis=1).mean() - mean.max()
        assert agent.gradient(stores)[0, arm] == pytest.approx(rise, rel=2e-3, abs=5e-6)


def test_the_knowledge_gradient_counts_the_trials_after_this_one():
    agent = policy("knowledge_gradient", horizon=5, sd=1.0)
    stores = after(agent, [0, 0, 0], [1.0, 1.0, 1.0])
    gradient = agent.gradient(stores)[0]
    index = agent.means(stores)[0][0] + (5 - 3 - 1) * gradient
    assert agent.act(NOTHING, stores)[0][0].argmax() == index.argmax()
    last = after(agent, [0] * 4, [0.1] * 4)
    assert agent.act(NOTHING, last)[0].tolist() == [[1.0, 0.0]]  # nothing left to learn for


def bonus_by_splines(evidence, discount, depth):
    """Gittins bonus by another discretisation: Gauss-Hermite steps and cubic splines."""
    z, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    value = lambda x: np.maximum(x, 0.0) / (1.0 - discount)  # noqa: E731
    for pulls in reversed(range(depth)):
        n = evidence + pulls
        grid = np.linspace(-9, 9, 721) / np.sqrt(n)
        ahead = value(grid[:, None] + z / np.sqrt(n * (n + 1))) @ weights
        privileged_value = interpolate.CubicSpline(grid, grid + discount * ahead)
        top, slope = grid[-1], 1.0 / (1.0 - discount)

        def value(x, privileged_value=privileged_value, top=top, slope=slope):
            inside = privileged_value(np.clip(x, -top, top)) + slope * np.maximum(x - top, 0.0)
            return np.maximum(inside, 0.0)

    return -optimize.brentq(privileged_value, -top, 0.0)


@pytest.mark.parametrize(
    ("evidence", "discount", "pulls"), [(1.0, 0.5, 0), (0.25, 0.8, 0), (2.0, 0.9, 5)]
)
def test_the_gittins_bonus_agrees_with_another_discretisation(evidence, discount, pulls):
    _, bonus = gittins_bonus(pulls + 1, evidence, discount)
    depth = int(np.ceil(np.log(1e-4) / np.log(discount)))
    expected = bonus_by_splines(evidence + pulls, discount, depth)
    assert bonus[pulls] == pytest.approx(expected, abs=0.001 / np.sqrt(evidence + pulls))


def test_the_gittins_bonus_falls_with_evidence_and_rises_with_patience():
    (_, patient), (_, hasty) = gittins_bonus(20, 1.0, 0.95), gittins_bonus(20, 1.0, 0.7)
    assert (np.diff(patient) < 0).all()
    assert (patient > hasty).all()
    assert (hasty > 0).all()
    late, whole = gittins_bonus(10, 11.0, 0.9)[1], gittins_bonus(20, 1.0, 0.9)[1]
    np.testing.assert_allclose(late, whole[10:])


def test_gittins_weighs_the_mean_and_the_bonus():
    agent = policy("gaussian_gittins", sd=2.0, prior_sd=2.0, horizon=20)
    _, bonus = gittins_bonus(20, 1.0, 0.9)
    gap = 2.0 * (bonus[0] - bonus[1])  # the tried arm must be this much better
    for reward, best in ((2.0 * gap - 0.01, 1), (2.0 * gap + 0.01, 0)):
        assert agent.act(NOTHING, after(agent, [0], [reward]))[0][0].argmax() == best


@pytest.mark.parametrize(
    ("name", "kwargs", "reason"),
    [
        ("gaussian_gittins", {"sd": None}, "known variance"),
        ("gaussian_grid", {"sd": None}, "known variance"),
        ("gaussian_grid", {"n_arms": 3}, "two arms"),
        ("gaussian_grid", {"horizon": 101}, "at most 100 trials, got 101"),
    ],
)
def test_reasons(name, kwargs, reason):
    assert reason in REFERENCES[name].why_not(make_family(GAUSSIAN, **kwargs))


def test_one_practical_policy_is_nearest():
    for kwargs, name in (
        ({}, "gaussian_grid"),
        ({"sd": None}, "knowledge_gradient"),
        ({"n_arms": 5}, "knowledge_gradient"),
    ):
        family = make_family(GAUSSIAN, **kwargs)
        assert best_reference(family).name == name
        ranks = [
            cls.optimality(family) for cls in REFERENCES.values() if cls.why_not(family) is None
        ]
        assert ranks.count(NEAR) == 1
        assert ranks.count(UNRANKED) == len(ranks) - 1
        assert EXACT not in ranks


def test_nothing_is_preferred_where_there_is_nothing_to_learn():
    for name in ("greedy", "ucb", "thompson", "gittins", "grid"):
        agent = policy(f"gaussian_{name}", prior_sd=0.0)
        probs, _ = agent.act(NOTHING, after(agent))
        np.testing.assert_allclose(probs, 0.5, atol=1e-9)


def test_the_unit_of_reward_does_not_matter():
    """Ten times the prior, the noise and the rewards: the same choices."""
    history = {"pulls": PULLS, "rewards": np.array(REWARDS)}
    for name in ("greedy", "ucb", "thompson", "gittins", "grid"):
        one, ten = (policy(f"gaussian_{name}", prior_sd=s, sd=s / 2) for s in (1.0, 10.0))
        scaled = {**history, "rewards": 10.0 * history["rewards"]}
        probs = [a.act(NOTHING, after(a, **h))[0] for a, h in ((one, history), (ten, scaled))]
        np.testing.assert_allclose(*probs, atol=1e-9)


def test_counts_that_only_an_intervention_can_make_are_still_acted_on():
    rng = np.random.default_rng(0)
    state = {"pulls": rng.normal(5, 30, (50, 2)).clip(0), "sums": rng.normal(0, 30, (50, 2))}
    for name in ("greedy", "ucb", "thompson", "gittins", "grid"):
        probs, _ = policy(f"gaussian_{name}", horizon=10).act(NOTHING, Stores(state=state))
        np.testing.assert_allclose(probs.sum(axis=1), 1.0, atol=1e-9)
