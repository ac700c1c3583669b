"""The lifetime bandit has one arm that pays 0 and one whose mean is drawn from its prior."""

import numpy as np
import pytest
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys

LIFETIME = "metalocus/LifetimeBandit-v0"
FALSE_ALARM = 1e-4


def test_means_and_rewards_have_the_laws_that_are_stated():
    kwargs = {"spread": 2.0, "noise": 0.5, "cost": 3.0}
    episodes = make_episodes(LIFETIME, seed_keys(0, 4000), **kwargs)
    means = episodes.means()
    assert not means[:, 0].any()
    assert stats.kstest(means[:, 1], stats.norm(-3.0, 2.0).cdf).pvalue > FALSE_ALARM
    for _ in range(2):
        noise = episodes.step(np.ones(4000, int))[0] - means[:, 1]
        assert stats.kstest(noise, stats.norm(0.0, 0.5).cdf).pvalue > FALSE_ALARM
    assert not episodes.step(np.zeros(4000, int))[0].any()
    np.testing.assert_array_equal(episodes.means(), means)


def test_without_spread_the_mean_is_known():
    assert (make_episodes(LIFETIME, seed_keys(0, 50), spread=0.0).means()[:, 1] == -1.0).all()


def test_bad_arguments_and_tasks():
    for kwargs in ({"spread": -1.0}, {"noise": 0.0}, {"cost": -0.1}):
        with pytest.raises(InvalidTask, match=f"{next(iter(kwargs))} must be"):
            make_family(LIFETIME, **kwargs)
    with pytest.raises(InvalidTask, match="mean must be numbers from"):
        make_episodes(LIFETIME).set_task({"mean": 20.0})
