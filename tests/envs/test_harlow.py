"""The Harlow task draws its objects, lays and rewards them as its docstring says.

Statistical tests are fixed (seeds given, hypothesis derandomised); each would fail sound code
with probability 1e-4 at most, all its examples together.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys
from metalocus.envs.families._digits import digit_images, digit_labels

HARLOW = "metalocus/Harlow-v0"
FALSE_ALARM = 1e-4
EXAMPLES = 10


def begin(n, seed=0, **kwargs):
    """n episodes at their first trial."""
    return make_episodes(HARLOW, seed_keys(seed, n), **kwargs)


def sides(episodes, trials, policy):
    """Where the object that pays lies, actions and rewards, each [T, N]."""
    rng, log = np.random.default_rng(0), []
    for _ in range(trials):
        side = episodes.latents["side"]
        action = policy(rng, side)
        log.append((side, action, episodes.step(action)[0]))
    return map(np.array, zip(*log, strict=True))


def at_random(rng, side):
    return rng.integers(2, size=len(side))


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(p=st.integers(0, 1000).map(lambda k: k / 1000), seed=st.integers(0, 2**20))
def test_the_object_decides_the_reward_whichever_side_it_lies(p, seed):
    side, action, reward = sides(begin(400, seed, p=p, horizon=20), 20, at_random)
    for where in (0, 1):
        for right, chance in ((True, p), (False, 1 - p)):
            here = (side == where) & ((action == side) == right)
            test = stats.binomtest(int(reward[here].sum()), int(here.sum()), chance)
            assert test.pvalue > FALSE_ALARM / (4 * EXAMPLES)


def test_sides_are_fair_coins_that_the_agent_cannot_load():
    side, _, _ = sides(begin(500, horizon=30), 30, at_random)
    assert stats.binomtest(int(side.sum()), side.size).pvalue > FALSE_ALARM / 2
    same = side[1:] == side[:-1]
    assert stats.binomtest(int(same.sum()), same.size).pvalue > FALSE_ALARM / 2
    other, _, _ = sides(begin(500, horizon=30), 30, lambda _, side: side)
    np.testing.assert_array_equal(side, other)


def test_the_objects_stay_and_are_shown_where_they_lie():
    episodes = begin(50, features=3)
    objects = episodes.latents["objects"].copy()
    for _ in range(6):
        left, right = np.split(episodes.stimulus(), 2, axis=1)
        for row, side in enumerate(episodes.latents["side"]):
            shown = (left[row], right[row])
            np.testing.assert_array_equal(shown[side], objects[row, 0])
            np.testing.assert_array_equal(shown[1 - side], objects[row, 1])
            assert episodes.means()[row].tolist() == ([1, 0] if side == 0 else [0, 1])
        episodes.step(np.zeros(50, int))


def test_features_are_uniform_and_independent():
    drawn = begin(2000, features=2).latents["objects"].reshape(2000, 4)
    for number in drawn.T:
        assert stats.kstest(number, "uniform").pvalue > FALSE_ALARM / 10
    for one in range(4):
        for other in range(one):
            assert stats.spearmanr(drawn[:, one], drawn[:, other]).pvalue > FALSE_ALARM / 10


def test_digits_are_real_images_of_two_different_digits_drawn_uniformly():
    """Digits and pairs of digits by chi-square, images within a digit too: rate 1e-4."""
    objects = begin(4000, objects="digits").latents["objects"]
    place = {image.tobytes(): i for i, image in enumerate(digit_images())}
    drawn = np.array([[place[image.tobytes()] for image in pair] for pair in objects])
    digits = digit_labels()[drawn]
    assert (digits[:, 0] != digits[:, 1]).all()
    pairs = np.bincount(digits @ [10, 1], minlength=100).reshape(10, 10)
    off_diagonal = pairs[~np.eye(10, dtype=bool)]
    assert stats.chisquare(off_diagonal).pvalue > FALSE_ALARM / 3
    assert stats.spearmanr(*rank_within_digit()[drawn].T).pvalue > FALSE_ALARM / 3
    law = 1 / (10 * np.bincount(digit_labels())[digit_labels()])
    counts = np.bincount(drawn.ravel(), minlength=1797)
    assert stats.chisquare(counts, law * 8000).pvalue > FALSE_ALARM / 3


def rank_within_digit():
    """Each image's place among those of its digit, [1797]."""
    labels = digit_labels()
    return np.array([(labels[:i] == label).sum() for i, label in enumerate(labels)])


@pytest.mark.parametrize("objects", ["features", "digits"])
def test_fixed_objects_are_the_same_in_every_episode_and_others_are_not(objects):
    fixed = [begin(50, seed, objects=objects, fixed=True).latents for seed in (0, 99)]
    assert len(np.unique(np.concatenate([one["objects"] for one in fixed]), axis=0)) == 1
    assert set(fixed[0]["side"]) == {0, 1}
    free = begin(50, objects=objects).latents["objects"]
    assert len(np.unique(free.reshape(50, -1), axis=0)) == 50


def test_only_fixed_objects_tell_at_first_sight_which_one_pays():
    """A linear rule of least squares, fitted on half of the first stimuli, tried on the rest."""
    for fixed in (True, False):
        episodes = begin(3000, fixed=fixed)
        assert episodes.family.telling == fixed
        x = np.column_stack([episodes.stimulus(), np.ones(3000)])
        y = 2.0 * episodes.latents["side"] - 1.0
        weights = np.linalg.lstsq(x[:1500], y[:1500], rcond=None)[0]
        right = int((np.sign(x[1500:] @ weights) == y[1500:]).sum())
        if fixed:
            assert right == 1500
        else:
            assert stats.binomtest(right, 1500).pvalue > FALSE_ALARM


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"objects": "faces"}, "objects must be one of features, digits, got 'faces'"),
        ({"features": 0}, "features must be a whole number of at least 1"),
        ({"p": 2}, "p must be a probability"),
        ({"horizon": 0}, "horizon must be a whole number of at least 1"),
        ({"fixed": 1}, "fixed must be True or False"),
    ],
)
def test_bad_arguments_are_refused(kwargs, message):
    with pytest.raises(InvalidTask, match=message):
        make_family(HARLOW, **kwargs)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"side": 2}, "side must be from 0 to 1"),
        ({"objects": np.full((2, 8), 0.5, np.float32)}, "objects must differ"),
        ({"objects": np.full((2, 8), 1.5, np.float32)}, "objects must be numbers from 0 to 1"),
        ({"objects": np.full((2, 8), np.nan, np.float32)}, "'objects' must be finite"),
    ],
)
def test_bad_tasks_are_refused(task, message):
    with pytest.raises(InvalidTask, match=message):
        begin(2).set_task(task)
