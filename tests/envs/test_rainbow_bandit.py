"""The rainbow bandit shows and pays what its docstring says.

Statistical tests use fixed seeds; each would fail sound code with probability 1e-4 at most.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys

RAINBOW = "metalocus/RainbowBandit-v0"
FALSE_ALARM = 1e-4


def begin(n=1000, seed=0, **kwargs):
    return make_episodes(RAINBOW, seed_keys(seed, n), **kwargs)


def test_the_paying_colour_is_uniform_and_stays():
    episodes = begin(2000)
    colour = episodes.latents["colour"]
    assert stats.kstest(colour.ravel(), "uniform").pvalue > FALSE_ALARM
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert stats.spearmanr(colour[:, one], colour[:, other]).pvalue > FALSE_ALARM
    for _ in range(3):
        episodes.step(np.zeros(2000, int))
    np.testing.assert_array_equal(episodes.latents["colour"], colour)


def test_the_sides_are_drawn_anew_at_every_trial():
    episodes = begin(1000)
    sides = []
    for _ in range(20):
        sides.append(episodes.latents["side"])
        episodes.step(np.zeros(1000, int))
    sides = np.array(sides)
    assert stats.binomtest(int(sides.sum()), sides.size).pvalue > FALSE_ALARM
    same = sides[1:] == sides[:-1]
    assert stats.binomtest(int(same.sum()), same.size).pvalue > FALSE_ALARM


def test_both_colours_are_shown_on_their_sides():
    episodes = begin(200)
    for _ in range(5):
        left, right = episodes.stimulus()[:, :3], episodes.stimulus()[:, 3:]
        colour, side = episodes.latents["colour"], episodes.latents["side"]
        paying = np.where(side[:, None] == 0, left, right)
        np.testing.assert_allclose(paying, colour, atol=1e-12)
        np.testing.assert_allclose(left + right, 1.0, atol=1e-12)
        episodes.step(np.zeros(200, int))


@settings(max_examples=10, deadline=None, derandomize=True)
@given(p=st.integers(0, 100).map(lambda percent: percent / 100))
def test_the_paying_colour_pays_with_p_and_a_side_at_chance(p):
    for follow, chance in ((True, p), (False, 1.0 - p)):
        episodes, paid = begin(500, p=p), 0
        for _ in range(10):
            side = episodes.latents["side"]
            action = side if follow else 1 - side
            np.testing.assert_allclose(episodes.means()[np.arange(500), action], chance)
            paid += int(episodes.step(action)[0].sum())
        assert stats.binomtest(paid, 5000, chance).pvalue > FALSE_ALARM
    episodes = begin(500, p=p)
    paid = sum(int(episodes.step(np.ones(500, int))[0].sum()) for _ in range(10))
    assert stats.binomtest(paid, 5000).pvalue > FALSE_ALARM


def test_the_cue_shows_the_paying_colour_and_changes_nothing_else():
    cued, plain = begin(50, cued=True, p=0.7), begin(50, p=0.7)
    assert (cued.family.telling, plain.family.telling) == (True, False)
    rng = np.random.default_rng(0)
    for _ in range(5):
        shown = cued.stimulus()
        np.testing.assert_array_equal(shown[:, 6:], plain.latents["colour"])
        np.testing.assert_array_equal(shown[:, :6], plain.stimulus())
        action = rng.integers(2, size=50)
        np.testing.assert_array_equal(cued.step(action)[0], plain.step(action)[0])


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"p": 2}, "p must be a probability"),
        ({"cued": None}, "cued must be True or False"),
        ({"n_arms": 3}, "has no argument 'n_arms'"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(InvalidTask, match=message):
        make_family(RAINBOW, **kwargs)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"colour": [0.0, 0.5, 1.1]}, "colour must be numbers from 0 to 1"),
        ({"colour": [0.0, 0.5, float("nan")]}, "'colour' must be finite"),
        ({"side": 2}, "side must be from 0 to 1"),
    ],
)
def test_bad_tasks(task, message):
    with pytest.raises(InvalidTask, match=message):
        begin(2).set_task(task)
