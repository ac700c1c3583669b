"""The two indices against published tables, plain recursion and limiting cases."""

from functools import cache

import numpy as np
import pytest

from metalocus.agents.agent import Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.references.bernoulli.counts import mean_reward, triangle
from metalocus.agents.references.bernoulli.finite_index import finite_table
from metalocus.agents.references.bernoulli.gittins import gittins_table
from metalocus.envs import make_family

BANDIT = "metalocus/BernoulliBandit-v0"
UNIFORM = (1.0, 1.0)
GRID_ERROR, CUT_OFF_ERROR = 2e-4, 2e-6  # upward and downward, as the code states

# Gittins 1989, "Multi-armed bandit allocation indices": discount .9, rows alpha, columns beta.
PUBLISHED = {
    (1, 1): 0.7029,
    (2, 1): 0.8001,
    (3, 1): 0.8452,
    (1, 2): 0.5001,
    (2, 2): 0.6346,
    (3, 2): 0.7072,
    (1, 3): 0.3796,
    (2, 3): 0.5163,
    (3, 3): 0.6010,
}


def place(successes, failures):
    pulls = successes + failures
    return pulls * (pulls + 1) // 2 + successes


def assert_indifferent(index, gain, above, below):
    """The retirement reward at which ``gain`` is zero lies from index - above to index + below.

    The gain of pulling over retiring falls with the reward, so its signs at both ends say so.
    """
    assert gain(index - above) >= 0.0 >= gain(index + below)


def discounted_gain(a, b, discount, depth, sure):
    """One pull and the best of what follows, over giving up at once; plain recursion."""

    @cache
    def value(a, b, left):
        give_up = sure / (1 - discount)
        mean = a / (a + b)
        return max(give_up, pull(a, b, left)) if left else max(give_up, mean / (1 - discount))

    def pull(a, b, left):
        mean = a / (a + b)
        success, failure = value(a + 1, b, left - 1), value(a, b + 1, left - 1)
        return mean * (1 + discount * success) + (1 - mean) * discount * failure

    return pull(a, b, depth) - sure / (1 - discount)


def finite_gain(a, b, left, sure):
    """One pull and the best of the ``left - 1`` trials that follow, over ``left`` sure rewards."""

    @cache
    def pull(a, b, left):
        mean = a / (a + b)
        success, failure = value(a + 1, b, left - 1), value(a, b + 1, left - 1)
        return mean * (1 + success) + (1 - mean) * failure

    def value(a, b, left):
        return max(left * sure, pull(a, b, left)) if left else 0.0

    return pull(a, b, left) - left * sure


@pytest.mark.parametrize(("posterior", "index"), PUBLISHED.items())
def test_gittins_published_at_discount_nine_tenths(posterior, index):
    table = gittins_table(20, UNIFORM, 0.9)
    assert table[place(posterior[0] - 1, posterior[1] - 1)] == pytest.approx(index, abs=2e-4)


def test_gittins_published_at_discount_99_hundredths():
    assert gittins_table(5, UNIFORM, 0.99)[0] == pytest.approx(0.8699, abs=2e-4)


@pytest.mark.parametrize(
    ("discount", "prior"), [(0.5, UNIFORM), (0.8, UNIFORM), (0.8, (0.5, 2.5)), (0.9, (3.0, 1.0))]
)
def test_gittins_against_the_retirement_problem(discount, prior):
    table = gittins_table(4, prior, discount)
    for place_, (s, f) in enumerate(zip(*triangle(3), strict=True)):
        a, b = s + prior[0], f + prior[1]
        assert_indifferent(
            table[place_],
            lambda sure, a=a, b=b: discounted_gain(a, b, discount, 60, sure),
            GRID_ERROR,
            CUT_OFF_ERROR,
        )


@pytest.mark.parametrize("prior", [UNIFORM, (0.5, 2.0)])
def test_finite_index_against_the_retirement_problem(prior):
    horizon = 7
    table = finite_table(horizon, prior)
    for t in range(horizon):
        for place_, (s, f) in enumerate(zip(*triangle(t), strict=True)):
            a, b, left = s + prior[0], f + prior[1], horizon - t
            assert_indifferent(
                table[t, place_],
                lambda sure, a=a, b=b, left=left: finite_gain(a, b, left, sure),
                GRID_ERROR,
                1e-9,
            )


def test_finite_index_is_the_posterior_mean_at_the_last_pull():
    policy = make_named(
        "finite_index", make_family(BANDIT, n_arms=2, horizon=12, prior="beta(2,1)")
    )
    successes = np.arange(12.0)[:, None] * [1.0, 0.0]
    failures = np.stack([np.zeros(12), 11.0 - np.arange(12)], axis=1)
    stores = Stores(state={"successes": successes, "failures": failures})
    np.testing.assert_allclose(policy.index(stores), policy.posterior_mean(stores), atol=1e-9)


def test_an_index_is_above_the_mean_and_nears_it_as_pulls_are_used_up():
    mean = mean_reward(*triangle(29), UNIFORM)
    gittins = gittins_table(30, UNIFORM, 0.95)
    assert (gittins > mean).all()
    first = finite_table(30, UNIFORM)[:, 0]  # an untried arm, ever later in the episode
    assert (np.diff(first) < 0).all()
    assert first[-1] == pytest.approx(0.5)


@pytest.mark.parametrize(("horizon", "discount"), [(100, 0.98), (20, 0.9), (4, 0.5), (1, 0.5)])
def test_gittins_takes_its_discount_from_the_horizon(horizon, discount):
    policy = make_named("gittins", make_family(BANDIT, horizon=horizon))
    np.testing.assert_array_equal(policy.table, gittins_table(horizon, UNIFORM, discount))


@pytest.mark.parametrize("name", ["gittins", "finite_index"])
def test_the_arm_of_highest_index_is_pulled(name):
    """Of arms of mean 1/2 the untried ones are worth more; ties are spread."""
    policy = make_named(name, make_family(BANDIT, n_arms=4, horizon=20))
    state = {
        "successes": np.array([[2.0, 0.0, 2.0, 0.0]]),
        "failures": np.array([[2.0, 0.0, 2.0, 0.0]]),
    }
    probs, _ = policy.act(np.zeros((1, 0)), Stores(state=state))
    np.testing.assert_array_equal(probs, [[0.0, 0.5, 0.0, 0.5]])


def test_explores_until_the_end_only_with_the_discounted_index():
    """At the last of 50 trials, 28 of 49 against an untried arm: worth more, or as if endless."""
    state = {"successes": np.array([[28.0, 0.0]]), "failures": np.array([[21.0, 0.0]])}
    family = make_family(BANDIT, n_arms=2, horizon=50)
    finite, _ = make_named("finite_index", family).act(np.zeros((1, 0)), Stores(state=state))
    discounted, _ = make_named("gittins", family).act(np.zeros((1, 0)), Stores(state=state))
    np.testing.assert_array_equal(finite, [[1.0, 0.0]])
    np.testing.assert_array_equal(discounted, [[0.0, 1.0]])
