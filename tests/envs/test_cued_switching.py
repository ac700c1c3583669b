"""The cued task switch: right keys by arithmetic, switches at the hazard or in runs.

Statistical tests are derandomised; each would fail sound code with probability 1e-4 at most
over all of its examples.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys

CUED = "metalocus/CuedSwitching-v0"
DIGITS = [1, 2, 3, 4, 6, 7, 8, 9]
FALSE_ALARM = 1e-6
some = settings(max_examples=10, deadline=None, derandomize=True)


def run(n, horizon, **kwargs):
    """Tasks and digits' places, [T, N] each, and the episodes at their end."""
    episodes = make_episodes(CUED, seed_keys(0, n), horizon=horizon, **kwargs)
    tasks, digits = [], []
    for _ in range(horizon):
        tasks.append(episodes.latents["task"])
        digits.append(episodes.latents["digit"])
        episodes.step(np.zeros(n, int))
    return np.array(tasks), np.array(digits), episodes


@some
@given(hazard=st.floats(0.02, 0.98))
def test_the_task_changes_at_the_hazard_rate_and_digits_are_drawn_anew(hazard):
    tasks, digits, _ = run(800, 20, hazard=hazard)
    assert stats.binomtest(int(tasks[0].sum()), 800).pvalue > FALSE_ALARM
    changed = tasks[1:] != tasks[:-1]
    assert stats.binomtest(int(changed.sum()), changed.size, hazard).pvalue > FALSE_ALARM
    assert stats.chisquare(np.bincount(digits.ravel(), minlength=8)).pvalue > FALSE_ALARM
    pairs = np.bincount((8 * digits[1:] + digits[:-1]).ravel(), minlength=64)
    assert stats.chisquare(pairs).pvalue > FALSE_ALARM


@pytest.mark.parametrize("run_length", [1, 2, 5])
def test_runs_alternate(run_length):
    tasks, *_ = run(50, 20, run_length=run_length)
    block = np.arange(20) // run_length % 2
    np.testing.assert_array_equal(tasks, tasks[0] ^ block[:, None])
    assert set(tasks[0]) == {0, 1}


@pytest.mark.parametrize("new_keys", [False, True])
def test_the_right_key_answers_the_question_that_the_cue_asks(new_keys):
    episodes = make_episodes(CUED, seed_keys(0, 400), new_keys=new_keys)
    rng = np.random.default_rng(0)
    for _ in range(10):
        shown, swapped = episodes.stimulus(), episodes.latents["swapped"]
        same = episodes.family.congruent(episodes.latents)
        action = rng.integers(2, size=400)
        means, (reward, _) = episodes.means(), episodes.step(action)
        for row in range(400):
            task, digit = int(shown[row, 1]), DIGITS[int(shown[row, 2:].argmax())]
            keys = [(digit % 2) ^ swapped[row, 0], int(digit > 5) ^ swapped[row, 1]]
            assert shown[row].sum() == 2
            assert means[row].tolist() == [keys[task] == 0, keys[task] == 1]
            assert reward[row] == (action[row] == keys[task])
            assert same[row] == (keys[0] == keys[1])


def test_keys_are_the_same_in_all_episodes_unless_they_are_new():
    *_, plain = run(100, 5)
    assert not plain.latents["swapped"].any()
    assert plain.family.telling
    *_, new = run(4000, 5, new_keys=True)
    assert not new.family.telling
    counts = np.bincount(new.latents["swapped"] @ [2, 1], minlength=4)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_half_of_all_digits_are_congruent():
    episodes = make_episodes(CUED, seed_keys(0, 8))
    episodes.set_task({"digit": np.arange(8)})
    assert episodes.family.congruent(episodes.latents).sum() == 4


def test_the_first_stimulus_tells_nothing_of_new_keys():
    episodes = make_episodes(CUED, seed_keys(0, 8000), new_keys=True)
    code = episodes.stimulus() @ np.array([0, 8, *range(8)])
    table = np.bincount((2 * code + episodes.means()[:, 1]).astype(int), minlength=32)
    assert stats.chi2_contingency(table.reshape(16, 2)).pvalue > 1e-4


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"run_length": 0}, "run_length must be a whole number of at least 1"),
        ({"hazard": 1.5}, "hazard must be a probability"),
        ({"new_keys": 1}, "new_keys must be True or False"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(InvalidTask, match=message):
        make_family(CUED, **kwargs)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"task": 2}, "task must be from 0 to 1"),
        ({"digit": 8}, "digit must be from 0 to 7"),
        ({"swapped": [0, 1]}, "swapped must be 0 unless new_keys"),
    ],
)
def test_bad_tasks(task, message):
    with pytest.raises(InvalidTask, match=message):
        make_episodes(CUED).set_task(task)
