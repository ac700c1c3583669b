"""The Gaussian bandit draws means, noise and its variance as its docstring says.

Statistical tests use fixed seeds; each would fail sound code with probability 1e-4 at most.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import CommonRandomNumbers, seed_keys

GAUSSIAN = "metalocus/GaussianBandit-v0"
FALSE_ALARM = 1e-4


def begin(n=3000, seed=0, **kwargs):
    return make_episodes(GAUSSIAN, seed_keys(seed, n), **kwargs)


def noise(episodes, arm, trials):
    """Rewards of one arm less its mean, [trials, N]."""
    action = np.full(len(episodes), arm)
    mean = episodes.means()[:, arm]
    return np.array([episodes.step(action)[0] - mean for _ in range(trials)])


@settings(max_examples=10, deadline=None, derandomize=True)
@given(prior_sd=st.floats(0.01, 100), sd=st.floats(0.01, 100), n_arms=st.integers(2, 4))
def test_means_and_noise_are_normal(prior_sd, sd, n_arms):
    episodes = begin(1000, prior_sd=prior_sd, sd=sd, n_arms=n_arms)
    means = episodes.means()
    assert means.shape == (1000, n_arms)
    assert stats.kstest(means.ravel() / prior_sd, "norm").pvalue > FALSE_ALARM
    assert stats.spearmanr(means[:, 0], means[:, -1]).pvalue > FALSE_ALARM
    z = noise(episodes, n_arms - 1, 3) / sd
    assert stats.kstest(z.ravel(), "norm").pvalue > FALSE_ALARM
    assert stats.spearmanr(z[:-1].ravel(), z[1:].ravel()).pvalue > FALSE_ALARM
    np.testing.assert_array_equal(episodes.means(), means)


@pytest.mark.parametrize("prior_sd", [0.5, 2.0])
def test_an_unknown_variance_is_inverse_gamma_and_scales_the_means(prior_sd):
    episodes = begin(prior_sd=prior_sd, sd=None, n_arms=2)
    sd, means = episodes.latents["sd"], episodes.means()
    assert stats.kstest(sd**2, stats.invgamma(5.0, scale=4.0).cdf).pvalue > FALSE_ALARM
    scaled = means / sd[:, None]
    assert stats.kstest(scaled.ravel(), stats.norm(scale=prior_sd).cdf).pvalue > FALSE_ALARM
    assert stats.spearmanr(np.abs(scaled[:, 0]), sd).pvalue > FALSE_ALARM
    z = noise(episodes, 0, 5) / sd
    assert stats.kstest(z.ravel(), "norm").pvalue > FALSE_ALARM


def test_each_arm_has_noise_of_its_own():
    one, other = noise(begin(), 0, 3), noise(begin(), 1, 3)
    assert stats.spearmanr(one.ravel(), other.ravel()).pvalue > FALSE_ALARM


@pytest.mark.parametrize("sd", [1.0, None])
def test_the_control_has_nothing_to_learn(sd):
    assert not begin(prior_sd=0.0, sd=sd).privileged_value().any()


@pytest.mark.parametrize("end", [0.0, 1.0 - 2.0**-53])
def test_the_most_extreme_variance_stays_inside_the_bounds(end, monkeypatch):
    """Every uniform number at an end of [0, 1), so every normal one too."""
    bits = CommonRandomNumbers.bits
    monkeypatch.setattr(
        CommonRandomNumbers, "uniform", lambda *args: np.full(bits(*args).shape, end)
    )
    episodes = begin(2, sd=None)
    episodes.family.check_task(episodes.latents)
    reward, _ = episodes.step(np.zeros(2, int))
    assert np.abs(reward).max() <= episodes.family.reward_range[1]


def test_a_win_is_a_reward_above_the_prior_mean():
    for kwargs in ({}, {"sd": None}, {"prior_sd": 0.0}):
        assert sum(make_family(GAUSSIAN, **kwargs).reward_range) == 0.0


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"prior_sd": -1.0}, "prior_sd must be a finite number of at least 0"),
        ({"prior_sd": float("inf")}, "prior_sd must be a finite number"),
        ({"prior_sd": None}, "prior_sd must be a finite number"),
        ({"sd": 0.0}, "sd must be a finite number above 0"),
        ({"sd": float("nan")}, "sd must be a finite number above 0"),
        ({"sd": "unknown"}, "sd must be a finite number above 0"),
        ({"n_arms": 1}, "n_arms must be a whole number of at least 2"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(InvalidTask, match=message):
        make_family(GAUSSIAN, **kwargs)


@pytest.mark.parametrize(
    ("kwargs", "task", "message"),
    [
        ({}, {"means": [0.0, 9.0]}, "means must be numbers from -8.3 to 8.3"),
        ({}, {"means": [0.0, float("nan")]}, "'means' must be finite"),
        ({"prior_sd": 0.0}, {"means": [0.0, 0.1]}, "means must be numbers"),
        ({"sd": None}, {"sd": 0.0}, "sd must be above 0"),
        ({"sd": None}, {"sd": 1e3}, "sd must be above 0 and at most"),
        ({}, {"sd": 1.0}, "no 'sd'; its latents are means"),
    ],
)
def test_bad_tasks(kwargs, task, message):
    episodes = begin(2, **kwargs)
    with pytest.raises(InvalidTask, match=message):
        episodes.set_task(task)
