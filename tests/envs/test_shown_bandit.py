"""What the shown bandit shows is the coming reward of every arm, as often as it says.

Statistical tests use fixed seeds; each would fail sound code with probability 1e-4 at most.
"""

import numpy as np
import pytest
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes
from metalocus.envs.common_random_numbers import seed_keys

SHOWN, BANDIT = "metalocus/ShownBandit-v0", "metalocus/BernoulliBandit-v0"
FALSE_ALARM = 1e-4


def test_what_is_shown_is_true_as_often_as_it_is_honest(case):
    for shown, honest in ((1.0, 1.0), (1.0, 0.0), (0.4, 0.7)):
        with case(shown, honest):
            kwargs = {"n_arms": 3, "shown": shown, "honest": honest}
            each = [make_episodes(SHOWN, seed_keys(0, 500), **kwargs) for _ in range(3)]
            agree, told = 0, 0
            for _ in range(10):
                stimulus = each[0].stimulus()
                rewards = np.stack(
                    [e.step(np.full(500, arm))[0] for arm, e in enumerate(each)], axis=1
                )
                flag = stimulus[:, 0] == 1
                assert not stimulus[~flag].any()
                agree += int((stimulus[flag, 1:] == rewards[flag]).sum())
                told += int(flag.sum())
            assert stats.binomtest(told, 5000, shown).pvalue > FALSE_ALARM
            assert stats.binomtest(agree, 3 * told, honest).pvalue > FALSE_ALARM


def test_the_rewards_are_those_of_the_plain_bandit_whatever_is_shown():
    plain = make_episodes(BANDIT, seed_keys(0, 200))
    others = [
        make_episodes(SHOWN, seed_keys(0, 200), **kwargs)
        for kwargs in ({}, {"shown": 0.0}, {"honest": 0.3})
    ]
    rng = np.random.default_rng(0)
    for _ in range(20):
        action = rng.integers(2, size=200)
        expected = plain.step(action)[0]
        for each in others:
            np.testing.assert_array_equal(each.step(action)[0], expected)


def test_expected_rewards_follow_from_bayes_rule():
    """By counting: among trials in which an arm of chance .3 is said to pay, it pays so often."""
    episodes = make_episodes(SHOWN, seed_keys(0, 4000), honest=0.8)
    episodes.set_task({"chances": [0.3, 0.9]})
    said, means = episodes.stimulus()[:, 1] == 1, episodes.means()[:, 0]
    reward, _ = episodes.step(np.zeros(4000, int))
    for yes, chance in ((True, 0.24 / 0.38), (False, 0.06 / 0.62)):
        rows = said == yes
        np.testing.assert_allclose(means[rows], chance)
        test = stats.binomtest(int(reward[rows].sum()), int(rows.sum()), chance)
        assert test.pvalue > FALSE_ALARM


def test_a_chance_that_is_set_decides_what_is_shown():
    episodes = make_episodes(SHOWN, seed_keys(0, 50))
    episodes.set_task({"chances": [0.0, 1.0]})
    np.testing.assert_array_equal(episodes.stimulus(), np.tile([1, 0, 1], (50, 1)))


def test_a_bad_task_is_refused():
    for task in ({"chances": [0.5, 2.0]}, {"luck": [-1.0, 0.5]}, {"false": 2}, {"shown": 5}):
        with pytest.raises(InvalidTask, match=f"{next(iter(task))} must be"):
            make_episodes(SHOWN).set_task(task)
