"""Gittins indices of long episodes against the exact ones, at sizes where both can be had."""

import numpy as np
import pytest

from metalocus.agents.agent import Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.references.bernoulli import gittins
from metalocus.agents.references.bernoulli.counts import triangle
from metalocus.agents.references.normal import gittins_bonus
from metalocus.envs import make_family

BANDIT = "metalocus/BernoulliBandit-v0"
CACHED = (gittins.gittins_table, gittins_bonus.gittins_bonus, gittins_bonus.long_run)


@pytest.fixture
def exact_up_to(monkeypatch):
    """Sets after how many pulls the approximation begins."""

    def change(pulls):
        for module in (gittins, gittins_bonus):
            monkeypatch.setattr(module, "EXACT_PULLS", pulls)
        for each in CACHED:
            each.cache_clear()

    yield change
    for each in CACHED:
        each.cache_clear()


def indices(horizon, prior):
    """Index of every arm of fewer pulls than trials, and its pulls, both [C]."""
    successes, failures = (each[:, None].astype(float) for each in triangle(horizon - 1))
    policy = make_named("gittins", make_family(BANDIT, horizon=horizon, prior=prior))
    index = policy.index(Stores(state={"successes": successes, "failures": failures}))
    return index[:, 0], (successes + failures)[:, 0]


@pytest.mark.parametrize("prior", ["uniform", "beta(3,1)"])
def test_bernoulli_indices_err_by_less_than_a_quarter_over_the_pulls_taken_exactly(
    prior, exact_up_to
):
    """So by less than 1e-3 with the 500 that are used."""
    expected, _ = indices(80, prior)
    for pulls in (20, 40):
        exact_up_to(pulls)
        found, _ = indices(80, prior)
        assert np.abs(found - expected).max() < 0.25 / pulls
        assert np.abs(found[:3] - expected[:3]).max() < 1e-3  # arms that are nearly new


@pytest.mark.parametrize("evidence", [0.1, 20.0])
def test_the_gaussian_bonus_errs_by_less_than_3_hundredths_of_a_posterior_sd(evidence, exact_up_to):
    discount = gittins_bonus.discount_of(90)
    pulls, expected = gittins_bonus.gittins_bonus(90, evidence, discount)
    exact_up_to(40)
    at, bonus = gittins_bonus.gittins_bonus(90, evidence, discount)
    error = (np.interp(pulls, at, bonus) - expected) * np.sqrt(evidence + pulls)
    assert np.abs(error).max() < 0.03


def test_indices_of_a_long_episode_rise_with_it_and_join_where_the_approximation_begins(
    exact_up_to,
):
    """Patience raises an index; from pull to pull it moves by little."""
    exact_up_to(60)
    shorter, longer = (
        make_named("gittins", make_family(BANDIT, horizon=horizon)) for horizon in (2_000, 10**9)
    )
    pulls = np.array([0.0, 10.0, 58.0, 60.0, 1_000.0, 1_500.0])
    state = {"successes": pulls[:, None] / 2, "failures": pulls[:, None] / 2}
    stores = Stores(state=state)
    one, other = shorter.index(stores)[:, 0], longer.index(stores)[:, 0]
    assert (one > 0.5).all()
    assert (one < other).all()
    assert (other <= 1.0).all()
    assert (np.diff(one) < 0).all()
    assert one[2] - one[3] < 2 * (one[1] - one[2]) / 48 + 0.005


@pytest.mark.parametrize(("horizon", "discount"), [(1, 0.5), (4, 0.5), (100, 0.98), (10**12, 1.0)])
def test_the_discount_stands_for_the_horizon_and_stays_below_1(horizon, discount):
    assert gittins_bonus.discount_of(horizon) == pytest.approx(discount, abs=1e-8)
    assert gittins_bonus.discount_of(horizon) < 1.0
