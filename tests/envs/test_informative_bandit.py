"""The informative bandit pays what its docstring says.

Statistical tests use fixed seeds; each would fail sound code with probability 1e-4 at most.
"""

import numpy as np
import pytest
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys

INFORMATIVE = "metalocus/InformativeBandit-v0"
FALSE_ALARM = 1e-4


def begin(n=11, seed=0, **kwargs):
    return make_episodes(INFORMATIVE, seed_keys(seed, n), **kwargs)


def test_every_arm_is_the_target_as_often():
    targets = begin(5000).latents["target"]
    assert stats.chisquare(np.bincount(targets, minlength=10)).pvalue > FALSE_ALARM


@pytest.mark.parametrize("target", range(10))
def test_rewards_are_those_of_the_paper(target):
    episodes = begin()
    episodes.set_task({"target": target})
    expected = [5.0 if arm == target else 1.0 for arm in range(10)] + [(target + 1) / 10]
    for _ in range(5):
        np.testing.assert_allclose(episodes.means(), np.tile(expected, (11, 1)))
        np.testing.assert_allclose(episodes.step(np.arange(11))[0], expected)
    assert (episodes.latents["target"] == target).all()


def test_the_uninformative_arm_says_nothing():
    episodes = begin(2000, informative=False)
    target = episodes.latents["target"]
    np.testing.assert_allclose(episodes.means()[:, 10], 0.55)
    told = [episodes.step(np.full(2000, 10))[0] * 10 for _ in range(5)]
    counts = np.bincount(np.rint(np.ravel(told)).astype(int), minlength=11)[1:]
    assert counts.sum() == 10_000
    assert stats.chisquare(counts).pvalue > FALSE_ALARM
    for one, other in ((told[0], target), (told[1], told[0])):
        table = np.histogram2d(one, other, 10)[0]
        assert stats.chi2_contingency(table).pvalue > FALSE_ALARM


def test_the_cue_shows_the_target_and_changes_nothing_else():
    cued, plain = begin(50, cued=True), begin(50)
    assert (cued.family.telling, plain.family.telling) == (True, False)
    rng = np.random.default_rng(0)
    for _ in range(5):
        cue = cued.stimulus()
        np.testing.assert_array_equal(cue.argmax(axis=1), plain.latents["target"])
        assert (cue.sum(axis=1) == 1).all()
        action = rng.integers(11, size=50)
        np.testing.assert_array_equal(cued.step(action)[0], plain.step(action)[0])


def test_only_the_target_is_a_win():
    low, high = make_family(INFORMATIVE).reward_range
    assert (low, high) == (0.1, 5.0)
    assert 1.0 < (low + high) / 2.0 < 5.0


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"informative": 1}, "informative must be True or False"),
        ({"cued": "yes"}, "cued must be True or False"),
        ({"n_arms": 5}, "has no argument 'n_arms'"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(InvalidTask, match=message):
        make_family(INFORMATIVE, **kwargs)


@pytest.mark.parametrize("target", [-1, 10])
def test_bad_tasks(target):
    with pytest.raises(InvalidTask, match="target must be from 0 to 9"):
        begin().set_task({"target": target})
