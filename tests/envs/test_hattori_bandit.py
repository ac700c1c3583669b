"""Hattori's schedule has the chances and the blocks that its docstring states.

Statistical tests use fixed seeds; each would fail sound code with probability 1e-4 at most.
"""

import numpy as np
import pytest
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes
from metalocus.envs.common_random_numbers import seed_keys

HATTORI = "metalocus/HattoriBandit-v0"
FALSE_ALARM = 1e-4


def test_blocks_have_the_minimal_length_and_then_a_constant_hazard():
    episodes = make_episodes(HATTORI, seed_keys(0, 500), block=5, hazard=0.3, horizon=120)
    good, contrast = [], []
    for _ in range(120):
        good.append(episodes.latents["good"])
        contrast.append(episodes.latents["contrast"])
        episodes.step(np.zeros(500, int))
    good, contrast = np.array(good), np.array(contrast)
    lengths, contrasts = [], []
    for row, kind in zip(good.T, contrast.T, strict=True):
        ends = np.flatnonzero(np.diff(row)) + 1
        lengths.extend(np.diff([0, *ends]).tolist())
        contrasts.extend(kind[ends].tolist())
        assert (np.flatnonzero(np.diff(kind)) + 1).tolist() == [
            end for end in ends if kind[end] != kind[end - 1]
        ]
    early = np.array(lengths)[np.array(lengths) <= 20]
    assert early.min() == 5
    counts = np.bincount(early - 5, minlength=16)
    chance = 0.3 * 0.7 ** np.arange(16)
    expected = chance / chance.sum() * counts.sum()
    assert stats.chisquare(counts, expected).pvalue > FALSE_ALARM
    assert stats.binomtest(sum(contrasts), len(contrasts)).pvalue > FALSE_ALARM


def test_no_block_ends_without_a_hazard_nor_before_sixty_trials():
    for kwargs, trials in (({"hazard": 0.0, "block": 1}, 50), ({}, 59)):
        episodes = make_episodes(HATTORI, seed_keys(0, 200), **kwargs)
        before = episodes.latents["good"]
        for _ in range(trials):
            episodes.step(np.zeros(200, int))
        np.testing.assert_array_equal(episodes.latents["good"], before)


@pytest.mark.parametrize(("contrast", "chances"), [(0, (0.6, 0.1)), (1, (0.525, 0.175))])
def test_the_chances_of_either_contrast(contrast, chances):
    for good in (0, 1):
        episodes = make_episodes(HATTORI, seed_keys(0, 2000), hazard=0.0)
        episodes.set_task({"good": good, "contrast": contrast})
        for arm in (0, 1):
            chance = chances[0] if arm == good else chances[1]
            np.testing.assert_array_equal(episodes.means()[:, arm], chance)
            won = sum(int(episodes.step(np.full(2000, arm))[0].sum()) for _ in range(5))
            assert stats.binomtest(won, 10_000, chance).pvalue > FALSE_ALARM


def test_a_bad_task_is_refused():
    for task, message in (({"contrast": 2}, "contrast must be"), ({"age": 500}, "age must be")):
        with pytest.raises(InvalidTask, match=message):
            make_episodes(HATTORI).set_task(task)
