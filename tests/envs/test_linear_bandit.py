"""The linear bandit draws maps, contexts and noise as its docstring says.

Statistical tests use fixed seeds; each would fail sound code with probability 1e-4 at most.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys

LINEAR = "metalocus/LinearBandit-v0"
FALSE_ALARM = 1e-4


def play(n=500, trials=6, arm=0, seed=0, **kwargs):
    """Weights [N, K, d], contexts [T, N, d], means [T, N, K] and rewards [T, N]."""
    episodes = make_episodes(LINEAR, seed_keys(seed, n), **kwargs)
    weights, log = episodes.latents["weights"], []
    for _ in range(trials):
        shown, means = episodes.stimulus(), episodes.means()
        log.append((shown, means, episodes.step(np.full(n, arm))[0]))
        np.testing.assert_array_equal(episodes.latents["weights"], weights)
    return weights, *(np.array(part) for part in zip(*log, strict=True))


@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    prior_sd=st.floats(0.01, 10),
    sd=st.floats(0.01, 10),
    n_features=st.integers(1, 4),
    arm=st.integers(0, 2),
)
def test_maps_contexts_and_noise(prior_sd, sd, n_features, arm):
    weights, contexts, means, rewards = play(
        arm=arm, prior_sd=prior_sd, sd=sd, n_features=n_features, n_arms=3
    )
    law = stats.norm(scale=prior_sd / n_features**0.5)
    assert stats.kstest(weights.ravel(), law.cdf).pvalue > FALSE_ALARM
    law = stats.uniform(-(3**0.5), 2 * 3**0.5)
    assert stats.kstest(contexts.ravel(), law.cdf).pvalue > FALSE_ALARM
    np.testing.assert_allclose(means, np.einsum("nkd,tnd->tnk", weights, contexts), atol=1e-12)
    noise = (rewards - means[:, :, arm]) / sd
    assert stats.kstest(noise.ravel(), "norm").pvalue > FALSE_ALARM
    pairs = [
        (contexts[1:], contexts[:-1]),
        (contexts[..., 0], noise),
        (noise[1:], noise[:-1]),
        (contexts[0], weights[:, 0]),
        (weights[:, 0], weights[:, 1]),
    ]
    for one, other in pairs:
        assert stats.pearsonr(one.ravel(), other.ravel()).pvalue > FALSE_ALARM


def test_the_means_have_the_standard_deviation_named():
    """Over maps and contexts; the fourth moment is bounded, so the mean square is normal."""
    _, _, means, _ = play(n=20_000, trials=1, prior_sd=2.0, n_features=3)
    squares = (means[0, :, 0] / 2.0) ** 2
    assert stats.ttest_1samp(squares, 1.0).pvalue > FALSE_ALARM


def test_contexts_do_not_depend_on_the_actions():
    np.testing.assert_array_equal(play(arm=0)[1], play(arm=2)[1])


def test_the_control_shows_contexts_that_mean_nothing():
    _, contexts, means, _ = play(prior_sd=0.0)
    assert len(np.unique(contexts)) == contexts.size
    assert not means.any()


def test_a_win_is_a_reward_above_the_prior_mean():
    assert sum(make_family(LINEAR).reward_range) == 0.0


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_features": 0}, "n_features must be a whole number of at least 1"),
        ({"prior_sd": -1}, "prior_sd must be a finite number of at least 0"),
        ({"sd": 0}, "sd must be a finite number above 0"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(InvalidTask, match=message):
        make_family(LINEAR, **kwargs)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"weights": np.full((3, 4), 5.0)}, "weights must be numbers from -4.15 to 4.15"),
        ({"context": np.full(4, 2.0)}, "context must be numbers from -1.73205 to 1.73205"),
        ({"context": np.full(4, np.nan)}, "'context' must be finite"),
    ],
)
def test_bad_tasks(task, message):
    episodes = make_episodes(LINEAR, seed_keys(0, 2))
    with pytest.raises(InvalidTask, match=message):
        episodes.set_task(task)
