"""The restless bandit's means drift as its docstring says.

Statistical tests use fixed seeds; each would fail sound code with probability 1e-4 at most.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys

RESTLESS = "metalocus/RestlessBandit-v0"
FALSE_ALARM = 1e-4


def play(n=1000, trials=8, arm=0, seed=0, **kwargs):
    """Means [T, N, K] before and rewards [T, N] of every trial, one arm pulled throughout."""
    episodes = make_episodes(RESTLESS, seed_keys(seed, n), **kwargs)
    means, rewards = [], []
    for _ in range(trials):
        means.append(episodes.means())
        rewards.append(episodes.step(np.full(n, arm))[0])
    return np.array(means), np.array(rewards)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(drift_sd=st.floats(0.01, 10), pull_back=st.floats(0, 1), sd=st.floats(0.1, 10))
def test_means_drift_and_rewards_are_noisy(drift_sd, pull_back, sd):
    means, rewards = play(drift_sd=drift_sd, pull_back=pull_back, sd=sd, n_arms=3, prior_sd=2.0)
    assert stats.kstest(means[0].ravel() / 2.0, "norm").pvalue > FALSE_ALARM
    drift = (means[1:] - (1.0 - pull_back) * means[:-1]) / drift_sd
    assert stats.kstest(drift.ravel(), "norm").pvalue > FALSE_ALARM
    noise = (rewards - means[:, :, 0]) / sd
    assert stats.kstest(noise.ravel(), "norm").pvalue > FALSE_ALARM
    pairs = [
        (drift[1:], drift[:-1]),  # from trial to trial
        (drift[:, :, 0], drift[:, :, 1]),  # between arms
        (noise[:-1], drift[:, :, 0]),
        (noise[1:], noise[:-1]),
        (means[0], drift[0]),
    ]
    for one, other in pairs:
        assert stats.pearsonr(one.ravel(), other.ravel()).pvalue > FALSE_ALARM


def test_a_random_walk_spreads_and_an_ornstein_uhlenbeck_process_stays():
    """Variances by trial against theory: a chi-squared test at every fifth trial, 1e-4 in all."""
    stays = 0.5 / np.sqrt(1.0 - 0.8**2)
    for kwargs, variance in (
        ({"pull_back": 0.0}, lambda t: 1.0 + 0.25 * t),
        ({"pull_back": 0.2, "prior_sd": stays}, lambda t: stays**2),
    ):
        means, _ = play(trials=21, drift_sd=0.5, **kwargs)
        for t in range(0, 21, 5):
            scaled = (means[t] ** 2).sum() / variance(t)
            tail = stats.chi2.sf(scaled, means[t].size)
            assert FALSE_ALARM / 10 < tail < 1.0 - FALSE_ALARM / 10


def test_means_do_not_depend_on_the_actions():
    np.testing.assert_array_equal(play(arm=0)[0], play(arm=1)[0])


def test_the_control_leaves_nothing_to_remember():
    means, _ = play(pull_back=1.0, drift_sd=1.0)
    assert stats.pearsonr(means[1:].ravel(), means[:-1].ravel()).pvalue > FALSE_ALARM


def test_without_drift_and_pull_back_means_stay():
    means, _ = play(drift_sd=0.0)
    assert (means == means[0]).all()


def test_a_win_is_a_reward_above_the_prior_mean():
    assert sum(make_family(RESTLESS).reward_range) == 0.0


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"drift_sd": -0.1}, "drift_sd must be a finite number of at least 0"),
        ({"pull_back": 1.1}, "pull_back must be a probability"),
        ({"sd": 0}, "sd must be a finite number above 0"),
        ({"prior_sd": "wide"}, "prior_sd must be a finite number"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(InvalidTask, match=message):
        make_family(RESTLESS, **kwargs)


def test_bad_tasks():
    episodes = make_episodes(RESTLESS, seed_keys(0, 2))
    with pytest.raises(InvalidTask, match=r"means must be numbers from -8\.3 to 8\.3"):
        episodes.set_task({"means": [0.0, 9.0]})
    with pytest.raises(InvalidTask, match="'means' must be finite"):
        episodes.set_task({"means": [0.0, float("nan")]})
