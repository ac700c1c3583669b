"""Win-stay on the object is Bayes-optimal: against brute force over every history."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from metalocus.agents.agent import EXACT
from metalocus.agents.catalogue import best_reference, make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting, make_family

HARLOW = "metalocus/Harlow-v0"
TRIALS = 3
ITEMS = np.array([[0.2, 0.7], [0.9, 0.1]], dtype=np.float32)


def shown(side):
    """The stimulus with item 0 on the given side, [1, 4]."""
    return np.concatenate([ITEMS[side], ITEMS[1 - side]])[None]


def optimum(p, belief, trial=0):
    """Best expected reward to come if item 0 is the one that pays with the given belief."""
    if trial == TRIALS:
        return 0.0
    return max(privileged_value(p, belief, trial, item) for item in (0, 1))


def outcomes(p, belief, item):
    """Reward, its chance and the belief after it, if an item is taken."""
    for reward in (0, 1):
        if_0, if_1 = ((p if pays == item else 1 - p) for pays in (0, 1))
        likely = [chance if reward else 1 - chance for chance in (if_0, if_1)]
        joint = belief * likely[0]
        chance = joint + (1 - belief) * likely[1]
        if chance > 0:
            yield reward, chance, joint / chance


def privileged_value(p, belief, trial, item):
    """Best reward to come after taking an item."""
    return sum(
        chance * (reward + optimum(p, after, trial + 1))
        for reward, chance, after in outcomes(p, belief, item)
    )


def played(policy, p, belief, stores, trial=0):
    """Expected reward of a policy over every history, sides fair; its values are checked."""
    if trial == TRIALS:
        return 0.0
    total = 0.0
    for side in (0, 1):
        probs, seen = policy.act(shown(side), stores)
        worths = np.array([privileged_value(p, belief, trial, item) for item in (side, 1 - side)])
        rest = worths - policy.values(seen)[0]
        assert rest[0] == pytest.approx(rest[1], abs=1e-10)
        for action in np.flatnonzero(probs[0]):
            item = side if action == 0 else 1 - side
            for reward, chance, after in outcomes(p, belief, item):
                kept = policy.learn(seen, shown(side), np.array([action]), np.array([reward]))
                value = reward + played(policy, p, after, kept, trial + 1)
                total += 0.5 * probs[0, action] * chance * value
    return total


@settings(max_examples=8, deadline=None)
@example(p=1.0)
@example(p=0.0)
@example(p=0.5)
@given(p=st.integers(0, 1000).map(lambda k: k / 1000))
def test_it_is_bayes_optimal(p):
    policy = make_named("harlow_memory", make_family(HARLOW, features=2, p=p, horizon=TRIALS))
    stores = policy.start(1, np.random.default_rng(0))
    assert played(policy, p, 0.5, stores) == pytest.approx(optimum(p, 0.5), abs=1e-10)


@pytest.mark.parametrize("objects", ["features", "digits"])
def test_one_trial_is_enough_to_be_right_ever_after(objects):
    episodes = fresh_episodes(Setting(HARLOW, objects=objects), 200, 0)
    trace = rollout(make_named("harlow_memory", episodes.family), episodes)
    np.testing.assert_array_equal(trace.value[0], 0.5)
    np.testing.assert_array_equal(trace.reward[1:], 1.0)


def test_memory_of_the_side_is_of_no_use_and_chance_is_half():
    """Win-stay, lose-shift on the action earns what a guess does: rate 1e-4."""
    episodes = fresh_episodes(Setting(HARLOW), 2000, 0)
    trace = rollout(make_named("wsls", episodes.family), episodes)
    assert trace.total.mean() == pytest.approx(3.0, abs=3.9 * (6 / 4 / 2000) ** 0.5)


@pytest.mark.parametrize("p", [1.0, 0.7, 0.2])
@pytest.mark.parametrize("objects", ["features", "digits"])
def test_in_the_control_nothing_needs_to_be_learned(p, objects):
    kwargs = {"fixed": True, "p": p, "objects": objects}
    episodes = fresh_episodes(Setting(HARLOW, **kwargs), 100, 0)
    trace = rollout(make_named("harlow_memory", episodes.family), episodes)
    np.testing.assert_allclose(trace.value, max(p, 1 - p))


@pytest.mark.parametrize("p", [0.55, 0.3])
@pytest.mark.parametrize("horizon", [1, 6])
def test_what_is_known_from_the_start_is_known_for_sure(p, horizon):
    kwargs = {"fixed": True, "p": p, "horizon": horizon}
    policy, privileged_value = make_named("harlow_memory", make_family(HARLOW, **kwargs)), []
    rollout(
        policy,
        fresh_episodes(Setting(HARLOW, **kwargs), 10, 0),
        shadows=[policy],
        observe=lambda trial: privileged_value.append(
            (policy.values(trial.shadows[0][1]), trial.privileged_value)
        ),
    )
    for values, expected in privileged_value:
        np.testing.assert_allclose(values, expected)


def test_it_is_the_exact_reference():
    family = make_family(HARLOW)
    assert best_reference(family).name == "harlow_memory"
    assert best_reference(family).optimality(family) == EXACT


@pytest.mark.parametrize("kwargs", [{}, {"objects": "digits"}, {"p": 0.8, "horizon": 12}])
def test_all_is_in_the_stores(kwargs):
    """The rows of half the batch, read by a second copy, give the same choices."""
    episodes, seen = fresh_episodes(Setting(HARLOW, **kwargs), 30, 1), []
    agent, other = (make_named("harlow_memory", episodes.family) for _ in range(2))
    rows = np.arange(29, 0, -2)
    rollout(agent, episodes, observe=seen.append)
    for trial in seen:
        again, _ = other.act(trial.stimulus[rows], trial.stores.rows(rows))
        np.testing.assert_array_equal(again, trial.probs[rows])


def test_evidence_beyond_all_bounds_is_still_acted_on():
    policy = make_named("harlow_memory", make_family(HARLOW, features=2, p=0.6))
    stores = policy.start(1, np.random.default_rng(0))
    state = {"evidence": np.array([-100_000]), "right": np.array([0])}
    held = type(stores)(state=state, context={"object": ITEMS[:1]})
    probs, after = policy.act(shown(1), held)
    np.testing.assert_array_equal(probs, [[1.0, 0.0]])  # the object remembered lies at the right
    np.testing.assert_allclose(policy.values(after), [[0.6, 0.4]])
