"""Thompson sampling's exact probabilities against closed forms, sampling and quadrature."""

from fractions import Fraction
from math import factorial

import numpy as np
import pytest
from scipy import integrate, stats

from metalocus.agents.agent import Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.references.bernoulli import quadrature
from metalocus.agents.references.bernoulli.counts import cell
from metalocus.envs import make_family

BANDIT = "metalocus/BernoulliBandit-v0"


def probs(name, successes, failures, horizon, prior="uniform"):
    """Choice probabilities [N, K] from counts [N, K]."""
    successes, failures = np.atleast_2d(successes).astype(float), np.atleast_2d(failures)
    policy = make_named(
        name, make_family(BANDIT, n_arms=successes.shape[1], horizon=horizon, prior=prior)
    )
    state = {"successes": successes, "failures": failures.astype(float)}
    return policy.act(np.zeros((len(successes), 0)), Stores(state=state))[0]


def chance_first_is_better(a1, b1, a2, b2):
    """P(X1 > X2) of two Betas with whole parameters: sum_i B(a2+i, b1+b2) / ((b1+i) B(1+i, b1)
    B(a2, b2)) over i < a1, in exact fractions (Miller 2015, "Formulas for Bayesian A/B testing").
    """

    def beta(a, b):
        return Fraction(factorial(a - 1) * factorial(b - 1), factorial(a + b - 1))

    terms = (beta(a2 + i, b1 + b2) / ((b1 + i) * beta(1 + i, b1) * beta(a2, b2)) for i in range(a1))
    return float(sum(terms))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((0, 0), (0, 0)),
        ((3, 1), (1, 2)),
        ((40, 10), (30, 19)),
        ((99, 0), (0, 0)),
        ((0, 60), (20, 19)),
    ],
)
def test_two_arms_closed_form(first, second):
    found = probs("thompson", [first[0], second[0]], [first[1], second[1]], horizon=100)[0]
    a1, b1, a2, b2 = (n + 1 for n in (*first, *second))
    np.testing.assert_allclose(found[0], chance_first_is_better(a1, b1, a2, b2), atol=1e-11)


@pytest.mark.parametrize("horizon", [2, 3, 4, 100])
@pytest.mark.parametrize("n_arms", [2, 3, 10, 50])
def test_one_arm_of_successes_against_untried_ones(n_arms, horizon):
    """∫ (s+1) x^s x^(K-1) dx = (s+1) / (s+K), exactly, up to the last trial of an episode."""
    for successes in {1, horizon // 2, horizon - 1}:
        counts = np.eye(n_arms)[:1] * successes
        found = probs("thompson", counts, counts * 0, horizon=horizon)[0]
        expected = (successes + 1) / (successes + n_arms)
        assert found[0] == pytest.approx(expected, abs=1e-11)
        np.testing.assert_allclose(found[1:], (1 - expected) / (n_arms - 1), atol=1e-11)


@pytest.mark.parametrize("name", ["thompson", "optimistic_thompson"])
def test_no_chance_is_below_0_however_far_the_arms_are_apart(name):
    rng = np.random.default_rng(6)
    pulls = rng.multinomial(99, rng.dirichlet(np.full(4, 0.5), size=2000))
    successes = rng.binomial(pulls, rng.choice([0.1, 0.5, 0.9], size=pulls.shape))
    found = probs(name, successes, pulls - successes, horizon=100)
    assert found.min() >= 0.0


@pytest.mark.parametrize("name", ["thompson", "optimistic_thompson"])
@pytest.mark.parametrize(("n_arms", "horizon"), [(2, 2), (3, 2), (3, 5), (10, 100)])
def test_chances_add_up_to_one_before_they_are_made_to(name, n_arms, horizon):
    """The quadrature has just enough nodes, also at the last trial, where the degree is highest."""
    policy = make_named(name, make_family(BANDIT, n_arms=n_arms, horizon=horizon))
    rng = np.random.default_rng(3)
    pulls = rng.multinomial(horizon - 1, rng.dirichlet(np.ones(n_arms)), size=100)
    successes = rng.binomial(pulls, 0.5)
    chances = policy.best(cell(successes, pulls - successes, horizon - 1))
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-12)


@pytest.mark.parametrize("prior", ["uniform", "beta(0.5,0.5)", "beta(0.1,3)", "beta(40,40)"])
def test_against_adaptive_quadrature(prior):
    """Three arms, one density at a time, by scipy on [0, 1] cut at the means."""
    successes, failures = np.array([6, 2, 0]), np.array([3, 0, 1])
    a, b = make_family(BANDIT, prior=prior).beta
    arms = [stats.beta(s + a, f + b) for s, f in zip(successes, failures, strict=True)]
    found = probs("thompson", successes, failures, horizon=20, prior=prior)[0]
    for k in range(3):
        others = [arm for j, arm in enumerate(arms) if j != k]

        # By quantiles of arm k, so that a density that is infinite at an end is no matter.
        def integrand(u, k=k, others=others):
            return others[0].cdf(arms[k].ppf(u)) * others[1].cdf(arms[k].ppf(u))

        expected, error = integrate.quad(integrand, 0, 1, epsabs=1e-9, limit=200)
        assert error < 1e-6
        assert found[k] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["thompson", "optimistic_thompson"])
def test_against_sampling(name):
    rng = np.random.default_rng(0)
    pulls = rng.multinomial(30, [0.5, 0.3, 0.1, 0.1], size=8)
    successes = rng.binomial(pulls, rng.random(pulls.shape))
    failures = pulls - successes
    draws = 40_000
    samples = rng.beta(successes + 1, failures + 1, size=(draws, *pulls.shape))
    if name == "optimistic_thompson":
        samples = np.maximum(samples, (successes + 1) / (pulls + 2))
    best = samples == samples.max(axis=2, keepdims=True)
    expected = (best / best.sum(axis=2, keepdims=True)).mean(axis=0)
    found = probs(name, successes, failures, horizon=40)
    np.testing.assert_allclose(found, expected, atol=5 * 0.5 / draws**0.5)


def test_optimistic_by_hand():
    """Beta(1, 1) wins over Beta(2, 1), of mean 2/3, if above that: ∫ x² from 2/3 = 19/81."""
    for horizon in (2, 10):
        found = probs("optimistic_thompson", [0, 1], [0, 0], horizon)[0]
        np.testing.assert_allclose(found, [19 / 81, 62 / 81], atol=1e-12)


def test_optimism_never_moves_choice_from_the_arm_of_highest_mean():
    rng = np.random.default_rng(1)
    pulls = rng.multinomial(20, np.ones(5) / 5, size=200)
    successes = rng.binomial(pulls, 0.5)
    mean = (successes + 1) / (pulls + 2)
    highest = mean == mean.max(axis=1, keepdims=True)
    gains = [
        (probs(name, successes, pulls - successes, horizon=25) * highest).sum(axis=1)
        for name in ("optimistic_thompson", "thompson")
    ]
    assert (gains[0] >= gains[1] - 1e-12).all()
    assert (gains[0] > gains[1] + 0.01).any()


def test_chunks_of_the_batch_do_not_show(monkeypatch):
    rng = np.random.default_rng(2)
    pulls = rng.multinomial(9, np.ones(3) / 3, size=50)
    successes = rng.binomial(pulls, 0.5)
    whole = probs("thompson", successes, pulls - successes, horizon=10)
    monkeypatch.setattr("metalocus.agents.references.bernoulli.thompson.CHUNK_ENTRIES", 100)
    np.testing.assert_array_equal(probs("thompson", successes, pulls - successes, 10), whole)


def test_gauss_legendre_upper_weights_are_exact_for_polynomials():
    rule = quadrature.gauss_legendre(6)
    lower = np.array([0.0, 0.3, 0.9, 1.0])
    weights = quadrature.upper_weights(quadrature.legendre_coefficients(rule), lower)
    for degree in range(6):
        expected = (1.0 - lower ** (degree + 1)) / (degree + 1)
        np.testing.assert_allclose(weights @ rule.x**degree, expected, atol=1e-13)


@pytest.mark.parametrize("prior", [(1.0, 1.0), (0.5, 0.5), (0.05, 2.0), (30.0, 20.0)])
def test_double_exponential_rule_integrates_densities(prior):
    rule = quadrature.double_exponential(prior, 100)
    a, b = np.array([prior[0], prior[0] + 99.0]), np.array([prior[1], prior[1]])
    density = quadrature.beta_density(a, b, rule)
    np.testing.assert_allclose(density @ rule.weights, 1.0, atol=1e-9)
    mean = (density * rule.x) @ rule.weights
    np.testing.assert_allclose(mean, a / (a + b), atol=1e-9)
