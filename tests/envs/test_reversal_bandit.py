"""The reversal task with more than two arms; with two it is what it was.

Statistical tests are derandomised; each would fail sound code with probability 1e-4 at most
over all of its examples.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes
from metalocus.envs.common_random_numbers import seed_keys

REVERSAL = "metalocus/ReversalBandit-v0"
EXAMPLES, FALSE_ALARM = 10, 1e-6
some = settings(max_examples=EXAMPLES, deadline=None, derandomize=True)


def run(n, horizon, choose=None, **kwargs):
    """The good arm [T, N], actions and rewards [T, N] under random or given choices."""
    episodes = make_episodes(REVERSAL, seed_keys(0, n), horizon=horizon, **kwargs)
    rng = np.random.default_rng(1)
    goods, actions, rewards = [], [], []
    for _ in range(horizon):
        goods.append(episodes.latents["good"])
        action = rng.integers(episodes.family.n_arms, size=n) if choose is None else choose(goods)
        actions.append(action)
        rewards.append(episodes.step(action)[0])
    return np.array(goods), np.array(actions), np.array(rewards)


def test_with_two_arms_tasks_and_switches_are_those_of_one_uniform_number_each():
    """The streams of the first version, written out: no change of dynamics, no new version."""
    episodes = make_episodes(REVERSAL, seed_keys(0, 500), hazard=0.3)
    crn = episodes.crn
    good = (crn.uniform("task") < 0.5).astype(np.int64)
    for t in range(30):
        np.testing.assert_array_equal(episodes.latents["good"], good)
        reward, _ = episodes.step(np.zeros(500, int))
        chance = np.where(good == 0, 0.75, 0.25)
        np.testing.assert_array_equal(reward, crn.uniform("reward", t, 0) < chance)
        good = np.where(crn.uniform("switch", t + 1) < 0.3, 1 - good, good)


@some
@given(n_arms=st.integers(2, 7), hazard=st.floats(0.02, 0.98))
def test_the_good_arm_goes_anywhere_else_at_the_hazard_rate(n_arms, hazard):
    goods, *_ = run(1000, 20, n_arms=n_arms, hazard=hazard)
    assert stats.chisquare(np.bincount(goods[0], minlength=n_arms)).pvalue > FALSE_ALARM
    moved = (goods[1:] - goods[:-1]) % n_arms
    switches = int((moved > 0).sum())
    assert stats.binomtest(switches, moved.size, hazard).pvalue > FALSE_ALARM
    if n_arms > 2:
        steps = np.bincount(moved[moved > 0], minlength=n_arms)[1:]
        assert stats.chisquare(steps).pvalue > FALSE_ALARM
    twice = int(((moved[1:] > 0) & (moved[:-1] > 0)).sum())  # no memory of the last switch
    chance = hazard**2
    deviation = (twice / (18 * 1000) - chance) / np.sqrt(3 * chance * (1 - chance) / (18 * 1000))
    assert abs(deviation) < 6  # neighbouring pairs share a trial: variance at most threefold


@some
@given(n_arms=st.integers(3, 6), p=st.floats(0.05, 0.95))
def test_the_good_arm_pays_with_p_and_every_other_with_the_rest(n_arms, p):
    goods, actions, rewards = run(500, 20, n_arms=n_arms, p=p, hazard=0.3)
    for arm in range(n_arms):
        for is_good, chance in ((True, p), (False, 1 - p)):
            paid = rewards[(actions == arm) & ((goods == arm) == is_good)]
            assert stats.binomtest(int(paid.sum()), paid.size, chance).pvalue > FALSE_ALARM / 10


def test_the_switches_of_many_arms_do_not_depend_on_the_actions():
    free, *_ = run(200, 30, n_arms=4, hazard=0.3)
    following, *_ = run(200, 30, lambda goods: goods[-1], n_arms=4, hazard=0.3)
    np.testing.assert_array_equal(free, following)


def test_the_cue_is_the_good_arm_of_all():
    episodes = make_episodes(REVERSAL, seed_keys(0, 100), n_arms=5, hazard=0.5, cued=True)
    for _ in range(10):
        good = episodes.latents["good"]
        np.testing.assert_array_equal(episodes.stimulus(), np.eye(5)[good])
        np.testing.assert_array_equal(episodes.means().argmax(axis=1), good)
        episodes.step(np.zeros(100, int))


@pytest.mark.parametrize("bad", [3, -1])
def test_an_arm_that_does_not_exist_cannot_be_the_good_one(bad):
    episodes = make_episodes(REVERSAL, seed_keys(0, 2), n_arms=3)
    with pytest.raises(InvalidTask, match="good must be from 0 to 2"):
        episodes.set_task({"good": bad})
