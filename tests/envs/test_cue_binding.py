"""Cue binding: different cues, every set alike; free bindings; passes in random order.

Statistical tests have fixed seeds; each would fail sound code with probability 1e-4 at most.
"""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys
from metalocus.envs.families._digits import digit_images

BINDING = "metalocus/CueBinding-v0"
FALSE_ALARM = 1e-4


def begin(n, seed=0, **kwargs):
    return make_episodes(BINDING, seed_keys(seed, n), **kwargs)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    n_cues=st.integers(1, 64),
    n_arms=st.integers(2, 6),
    cues=st.sampled_from(["bits", "digits", "fixed"]),
    horizon=st.integers(1, 150),
)
def test_every_pass_shows_every_cue_once_as_it_is_and_pays_its_action(
    n_cues, n_arms, cues, horizon
):
    kwargs = {"n_cues": n_cues, "n_arms": n_arms, "cues": cues, "horizon": horizon, "cue_bits": 6}
    episodes = begin(5, **kwargs)
    first = {name: value.copy() for name, value in episodes.latents.items()}
    rng, seen, rows = np.random.default_rng(0), [], np.arange(5)
    for _ in range(horizon):
        shown, stimulus = episodes.latents["shown"], episodes.stimulus()
        code, bound = first["cues"][rows, shown], first["bound"][rows, shown]
        if cues == "digits":
            np.testing.assert_array_equal(stimulus, digit_images()[code])
        elif cues == "fixed":
            np.testing.assert_array_equal(stimulus, np.eye(n_cues)[shown])
        else:
            np.testing.assert_array_equal(stimulus @ 2.0 ** np.arange(6), code)
        np.testing.assert_array_equal(episodes.means(), np.eye(n_arms)[bound])
        action = rng.integers(n_arms, size=5)
        np.testing.assert_array_equal(episodes.step(action)[0], action == bound)
        seen.append(shown)
    for start in range(0, horizon - n_cues + 1, n_cues):
        in_pass = np.sort(seen[start : start + n_cues], axis=0)
        np.testing.assert_array_equal(in_pass, np.arange(n_cues)[:, None] + 0 * rows)
    for name in ("cues", "bound"):
        np.testing.assert_array_equal(episodes.latents[name], first[name])
    assert all(len(set(row)) == n_cues for row in first["cues"].tolist())


def test_every_set_of_cues_is_as_frequent():
    cues = np.sort(begin(6000, n_cues=3, cue_bits=3).latents["cues"], axis=1)
    sets = {chosen: i for i, chosen in enumerate(combinations(range(8), 3))}
    counts = np.bincount([sets[tuple(row)] for row in cues.tolist()], minlength=56)
    assert stats.chisquare(counts).pvalue > FALSE_ALARM


def test_digits_are_drawn_from_all_the_images():
    cues = begin(4000, n_cues=16, cues="digits").latents["cues"]
    counts = np.bincount(cues.ravel(), minlength=1797)
    # Within an episode draws exclude each other, which only evens the counts out.
    assert stats.chi2.sf(((counts - counts.mean()) ** 2 / counts.mean()).sum(), 1796) > FALSE_ALARM
    assert len(counts) == 1797


def test_actions_are_bound_uniformly_and_independently():
    bound = begin(6000, n_cues=2, n_arms=3).latents["bound"]
    counts = np.bincount(bound @ [3, 1], minlength=9)
    assert stats.chisquare(counts).pvalue > FALSE_ALARM


def test_every_pass_has_an_order_of_its_own():
    episodes = begin(3000, n_cues=3)
    orders = []
    for t in range(6):
        if t % 3 == 0:
            orders.append(episodes.latents["order"])
        episodes.step(np.zeros(3000, int))
    place = {order: i for i, order in enumerate(permutations(range(3)))}
    first, second = ([place[tuple(row)] for row in order.tolist()] for order in orders)
    table = np.bincount(6 * np.array(first) + np.array(second), minlength=36)
    assert stats.chisquare(table).pvalue > FALSE_ALARM


def test_what_is_shown_tells_nothing_of_its_action():
    """First cues of four bits with the action bound to them: all pairs are as frequent."""
    episodes = begin(8000, n_cues=4, cue_bits=4, n_arms=2)
    code = (episodes.stimulus() @ 2.0 ** np.arange(4)).astype(int)
    table = np.bincount(2 * code + episodes.means().argmax(axis=1), minlength=32)
    assert stats.chisquare(table).pvalue > FALSE_ALARM


def test_rows_at_different_trials_pass_on_at_their_own_time():
    together = begin(2, n_cues=3)
    alone = [begin(1, seed=row, n_cues=3) for row in range(2)]
    for t in range(20):
        if t == 4:
            together.reset(np.array([True, False]))
            alone[0].reset()
        for row in range(2):
            shown = alone[row].stimulus()[0].tolist()
            assert together.stimulus()[row].tolist() == shown
            alone[row].step(np.array([0]))
        together.step(np.zeros(2, int))


def test_fixed_cues_are_the_same_in_every_episode_and_so_are_fixed_actions():
    kwargs = {"n_cues": 5, "n_arms": 3, "cues": "fixed"}
    free, known = begin(300, **kwargs), begin(300, **kwargs, fixed_actions=True)
    for episodes in (free, known):
        np.testing.assert_array_equal(episodes.latents["cues"], np.tile(np.arange(5), (300, 1)))
    assert (np.ptp(free.latents["bound"], axis=0) == 2).all()
    np.testing.assert_array_equal(known.latents["bound"], np.tile([0, 1, 2, 0, 1], (300, 1)))
    assert (free.family.telling, known.family.telling) == (False, True)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_cues": 0}, "n_cues must be a whole number of at least 1"),
        ({"n_cues": 65}, "n_cues must be at most 64"),
        ({"n_cues": 9, "cue_bits": 3}, "cue_bits=3 makes 8 different cues, too few for 9"),
        ({"cue_bits": 33}, "cue_bits must be at most 32"),
        ({"cues": "smells"}, "cues must be one of bits, digits, fixed, got 'smells'"),
        ({"cues": None}, "cues must be one of"),
        ({"fixed_actions": True}, 'needs cues="fixed"'),
        ({"fixed_actions": 1, "cues": "fixed"}, "fixed_actions must be True or False"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(InvalidTask, match=message):
        make_family(BINDING, **kwargs)


@pytest.mark.parametrize(
    ("kwargs", "task", "message"),
    [
        ({}, {"cues": [1, 1]}, "cues must be different"),
        ({}, {"cues": [1, 2**16]}, "cues must be from 0 to 65535"),
        ({"cues": "fixed"}, {"cues": [1, 0]}, "fixed cues are 0, 1"),
        ({}, {"bound": [0, 4]}, "bound must be from 0 to 3"),
        ({"cues": "fixed", "fixed_actions": True}, {"bound": [1, 0]}, "fixed_actions binds"),
        ({}, {"shown": 2}, "shown must be from 0 to 1"),
        ({}, {"order": [0, 0]}, "order must name every cue once"),
    ],
)
def test_bad_tasks(kwargs, task, message):
    with pytest.raises(InvalidTask, match=message):
        begin(1, n_cues=2, **kwargs).set_task(task)
