"""The position bandit sorts its arms as often as it says; it is a plain bandit else."""

import numpy as np
import pytest
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys

POSITION, BANDIT = "metalocus/PositionBandit-v0", "metalocus/BernoulliBandit-v0"


@pytest.mark.parametrize("best_last", [True, False])
def test_the_correlation_is_the_expected_rank_correlation(best_last):
    n = 2000
    for correlation in (0.0, 0.4, 1.0):
        kwargs = {"n_arms": 3, "correlation": correlation, "best_last": best_last}
        means = make_episodes(POSITION, seed_keys(0, n), **kwargs).means()
        ranks = means.argsort(axis=1).argsort(axis=1) - 1  # -1, 0, 1
        rho = (ranks * [-1, 0, 1]).sum(axis=1) / 2
        error = 4 * rho.std() / n**0.5 + 1e-12
        assert rho.mean() == pytest.approx(correlation * (1 if best_last else -1), abs=error)
        assert stats.kstest(means.ravel(), "uniform").pvalue > 1e-4  # sorted or not


def test_without_correlation_it_is_the_plain_bandit_to_the_last_reward():
    plain = make_episodes(BANDIT, seed_keys(0, 200), n_arms=3)
    other = make_episodes(POSITION, seed_keys(0, 200), n_arms=3, correlation=0.0)
    rng = np.random.default_rng(0)
    for _ in range(20):
        np.testing.assert_array_equal(plain.means(), other.means())
        action = rng.integers(3, size=200)
        np.testing.assert_array_equal(plain.step(action)[0], other.step(action)[0])


def test_arms_that_are_sorted_are_those_of_the_plain_bandit():
    plain = make_episodes(BANDIT, seed_keys(0, 200), n_arms=3).means()
    means = make_episodes(POSITION, seed_keys(0, 200), n_arms=3, correlation=1.0).means()
    np.testing.assert_array_equal(np.sort(plain, axis=1), means)


def test_bad_arguments():
    for kwargs in ({"correlation": -0.1}, {"correlation": 1.1}, {"best_last": 1}):
        with pytest.raises(InvalidTask, match=next(iter(kwargs))):
            make_family(POSITION, **kwargs)
