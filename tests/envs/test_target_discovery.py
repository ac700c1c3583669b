"""Target discovery shows what its docstring says.

Statistical tests use fixed seeds; each would fail sound code with probability 1e-4 at most.
"""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys

TARGET = "metalocus/TargetDiscovery-v0"
FALSE_ALARM = 1e-4


def test_cues_are_new_different_and_never_blank():
    latents = make_episodes(TARGET, seed_keys(0, 4000), cue_bits=3).latents
    cues = np.sort(latents["cues"], axis=1)
    assert (np.diff(cues, axis=1) > 0).all()
    assert (cues.min(), cues.max()) == (1, 7)
    sets = np.unique(cues @ 8 ** np.arange(4), return_counts=True)[1]
    assert len(sets) == len(list(combinations(range(7), 4)))
    assert stats.chisquare(sets).pvalue > FALSE_ALARM
    assert stats.chisquare(np.bincount(latents["target"])).pvalue > FALSE_ALARM


def test_a_trial_shows_two_cues_asks_and_ends():
    """Read off the observations of whole episodes, without the latents of the schedule."""
    episodes = make_episodes(TARGET, seed_keys(0, 300))
    cues = episodes.latents["cues"]
    codes = (cues[:, :, None] >> np.arange(20)) & 1  # [N, 4, 20]
    target = episodes.latents["target"]
    shown = np.zeros((300, 4), bool)
    length, pairs, lengths, places = np.zeros(300, int), [], [], []
    asked_before = np.zeros(300, bool)
    for _ in range(120):
        stimulus = episodes.stimulus()
        which = (codes == stimulus[:, None, :20]).all(axis=2)
        is_cue, asked = which.any(axis=1), stimulus[:, 20] == 1
        assert (is_cue | (stimulus[:, :20] == 0).all(axis=1)).all()
        assert not (is_cue & asked).any()
        assert not (shown & which).any()  # no cue twice in a trial
        places.extend(length[is_cue].tolist())
        shown |= which
        pairs.extend((shown[asked] @ [1, 2, 4, 8]).tolist())
        assert (shown[asked].sum(axis=1) == 2).all()
        among = shown[np.arange(300), target]
        reward, _ = episodes.step(np.ones(300, int))
        np.testing.assert_array_equal(reward, asked * np.where(among, 1.0, -1.0))
        length += 1
        lengths.extend(length[asked_before].tolist())
        length[asked_before], shown[asked_before] = 0, False
        asked_before = asked
    assert stats.chisquare(np.unique(pairs, return_counts=True)[1]).pvalue > FALSE_ALARM
    assert stats.chisquare(np.bincount(lengths)[5:]).pvalue > FALSE_ALARM
    assert min(lengths) == 5
    assert min(places) == 1  # nothing is shown in the first step


def test_the_answer_no_pays_the_opposite_of_yes():
    for together in (False, True):
        yes, no = (make_episodes(TARGET, seed_keys(0, 100), together=together) for _ in range(2))
        for _ in range(40):
            np.testing.assert_array_equal(yes.stimulus(), no.stimulus())
            paid = yes.step(np.ones(100, int))[0]
            np.testing.assert_array_equal(paid, -no.step(np.zeros(100, int))[0])
            assert together == bool(np.abs(paid).all())


def test_together_shows_the_pair_that_is_asked_for():
    episodes = make_episodes(TARGET, seed_keys(0, 100), together=True, cue_bits=6)
    for _ in range(20):
        code = episodes.stimulus().reshape(100, 2, 6) @ 2 ** np.arange(6)
        target = episodes.latents["cues"][np.arange(100), episodes.latents["target"]]
        among = (code == target[:, None]).any(axis=1)
        np.testing.assert_array_equal(episodes.step(np.ones(100, int))[0] > 0, among)


def test_bad_arguments_and_tasks(case):
    for kwargs, message in (({"cue_bits": 2}, "cue_bits"), ({"together": 1}, "together must be")):
        with case(kwargs), pytest.raises(InvalidTask, match=message):
            make_family(TARGET, **kwargs)
    for task, message in (
        ({"cues": [1, 2, 3, 3]}, "cues must be different"),
        ({"cues": [0, 1, 2, 3]}, "none of them 0"),
        ({"target": 4}, "target must be from 0 to 3"),
        ({"pair": [1, 1]}, "two different cues"),
        ({"length": 9}, "length must be from 5 to 8"),
        ({"place": 8}, "within the trial"),
        ({"when": [2, 1]}, "two rising steps"),
    ):
        with case(task), pytest.raises(InvalidTask, match=message):
            make_episodes(TARGET).set_task(task)
    with pytest.raises(InvalidTask, match="together"):
        make_episodes(TARGET, together=True).set_task({"when": [1, 2]})
