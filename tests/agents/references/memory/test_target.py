"""The target's memory against enumeration of every target and every sequence of pairs."""

from itertools import combinations, product

import numpy as np
import pytest

from metalocus.agents.agent import EXACT
from metalocus.agents.catalogue import best_reference, make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting, make_family

TARGET = "metalocus/TargetDiscovery-v0"
PAIRS = list(combinations(range(4), 2))
CODES = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 1, 1]], dtype=np.float32)


def errors(trials):
    """Expected wrong answers of the best policy in that many trials.

    The first trial halves the four candidates, either way. Two candidates are told apart by
    four of the six pairs, at which the answer is a guess; the two others ask for what is known.
    """
    return 0.5 + 0.5 * (1.0 - (1.0 / 3.0) ** (trials - 1))


def test_it_earns_what_the_candidates_allow_over_all_histories():
    trials = 4
    histories = list(product(range(4), *[range(6)] * trials))
    target = np.array([history[0] for history in histories])
    policy = make_named("target_memory", make_family(TARGET, together=True, cue_bits=3))
    stores = policy.start(len(target), np.random.default_rng(0))
    earned, rng = np.zeros(len(target)), np.random.default_rng(1)
    for trial in range(1, trials + 1):
        pair = np.array([PAIRS[history[trial]] for history in histories])
        among = (pair == target[:, None]).any(axis=1)
        stimulus = CODES[pair].reshape(len(target), -1)
        probs, stores = policy.act(stimulus, stores)
        right = np.where(np.arange(2) == among[:, None], 1.0, -1.0)
        earned += (probs * right).sum(axis=1)
        action = rng.integers(2, size=len(target))  # what is answered tells as much as what is not
        reward = right[np.arange(len(target)), action]
        stores = policy.learn(stores, stimulus, action, reward)
    assert earned.mean() == pytest.approx(trials - 2.0 * errors(trials), abs=1e-12)


def test_in_the_published_schedule_it_loses_two_guesses_of_an_episode():
    """In some twenty trials both guesses are made, but for one episode in a hundred million."""
    setting = Setting(TARGET)
    assert best_reference(setting.family).name == "target_memory"
    policy = make_named("target_memory", setting.family)
    assert policy.optimality(setting.family) == EXACT
    trace, told = (
        rollout(make_named(name, setting.family), fresh_episodes(setting, 100, 0)).value
        for name in ("target_memory", "oracle")
    )
    np.testing.assert_allclose(told.sum(axis=0) - trace.sum(axis=0), 2.0)
    assert set(np.unique(told.sum(axis=0))) <= set(range(14, 25))


def test_steps_that_do_not_ask_change_no_belief():
    family = make_family(TARGET, cue_bits=3)
    policy = make_named("target_memory", family)
    stores = policy.start(1, np.random.default_rng(0))
    for cue in (CODES[0], CODES[1]):
        shown = np.append(cue, 0.0)[None]
        probs, stores = policy.act(shown, stores)
        np.testing.assert_array_equal(probs, 0.5)
        stores = policy.learn(stores, shown, np.array([1]), np.array([0.0]))
    np.testing.assert_array_equal(stores.state["possible"], True)
    ask = np.array([[0.0, 0.0, 0.0, 1.0]])
    _, stores = policy.act(ask, stores)
    stores = policy.learn(stores, ask, np.array([0]), np.array([-1.0]))  # no was wrong
    np.testing.assert_array_equal(stores.state["possible"], [[True, True, False, False]])
    np.testing.assert_array_equal(stores.state["seen"], False)
