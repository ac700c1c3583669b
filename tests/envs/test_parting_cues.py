"""Parting cues agree, part and are valid as often as the docstring says.

Statistical tests use fixed seeds; each would fail sound code with probability 1e-4 at most.
"""

import numpy as np
import pytest
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys

CUES = "metalocus/PartingCues-v0"
FALSE_ALARM = 1e-4


def seen(n, trials, **kwargs):
    """Trusted cue [N], the arms that the cues name [T, N, 2] and the arm that pays [T, N]."""
    episodes = make_episodes(CUES, seed_keys(0, n), **kwargs)
    arms = episodes.family.n_arms
    named, pays = [], []
    for _ in range(trials):
        named.append(episodes.stimulus().reshape(n, 2, arms).argmax(axis=2))
        pays.append(episodes.means().argmax(axis=1))
        reward, _ = episodes.step(np.zeros(n, int))
        np.testing.assert_array_equal(reward, pays[-1] == 0)
    return episodes.latents["trusted"], np.array(named), np.array(pays)


def test_validity_agreement_and_trust_are_as_given(case):
    for kwargs in (
        {"agree": 0.3, "first": 0.7, "validity": 0.6},
        {"n_arms": 2, "agree": 0.5, "first": 0.2, "validity": 0.9},
        {"n_arms": 3, "agree": 0.0, "first": 0.5, "validity": 0.2},
    ):
        with case(kwargs):
            trusted, named, pays = seen(2000, 5, **kwargs)
            assert stats.binomtest(int((trusted == 0).sum()), 2000, kwargs["first"]).pvalue > 1e-4
            right = named[:, np.arange(2000), trusted] == pays
            hits = int(right.sum())
            assert stats.binomtest(hits, right.size, kwargs["validity"]).pvalue > FALSE_ALARM
            same = named[:, :, 0] == named[:, :, 1]
            for part in (right, ~right):  # to agree does not depend on being right
                agreed, of = int(same[part].sum()), int(part.sum())
                assert stats.binomtest(agreed, of, kwargs["agree"]).pvalue > FALSE_ALARM
            assert stats.chisquare(np.bincount(pays.ravel())).pvalue > FALSE_ALARM


def test_by_default_both_cues_name_the_arm_that_pays():
    _, named, pays = seen(300, 10)
    np.testing.assert_array_equal(named, np.stack([pays, pays], axis=2))


def test_in_the_test_only_the_first_names_it():
    trusted, named, pays = seen(300, 10, agree=0.0)
    assert not trusted.any()
    np.testing.assert_array_equal(named[:, :, 0], pays)
    assert (named[:, :, 1] != pays).all()


def test_bad_arguments_and_tasks():
    for name in ("agree", "first", "validity"):
        with pytest.raises(InvalidTask, match=f"{name} must be a probability"):
            make_family(CUES, **{name: 1.5})
    for task in ({"trusted": 2}, {"named": [0, 4]}, {"pays": -1}):
        with pytest.raises(InvalidTask, match=f"{next(iter(task))} must be from 0"):
            make_episodes(CUES).set_task(task)
