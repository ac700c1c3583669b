"""Policies of the two-step task: the exact one against brute force, Daw's against his equations.

Statistical tests use fixed seeds and fail sound code with probability 1e-4 at most.
"""

from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from metalocus.agents.agent import EXACT, NEAR
from metalocus.agents.catalogue import REFERENCES, best_reference, make_named
from metalocus.agents.references.two_step.filter import reflected_walk
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting, make_family

TWO_STEP = "metalocus/TwoStep-v0"
DAW = {"rewards": "drifting", "second_choices": 2, "p_common": 0.7}
TRIALS = 3
FALSE_ALARM = 1e-4
chances = st.integers(0, 1000).map(lambda k: k / 1000)


def sequences(hazard):
    """Every hidden sequence of good states, [A, TRIALS], and its probability, [A]."""
    good = np.array(list(product((0, 1), repeat=TRIALS)))
    switched = good[:, 1:] != good[:, :-1]
    return good, 0.5 * np.where(switched, hazard, 1 - hazard).prod(axis=1)


def reward_chance(family, state, good):
    """Probability of reward in a state under every sequence, [A]."""
    return np.where(good == state, family.p, 1 - family.p)


def after_first(family, good, weights, trial, action, go_on):
    """Expected value of ``go_on(reached, reward, weights)`` over what a first action brings."""
    total = 0.0
    for state in (0, 1):
        led = family.p_common if state == action else 1 - family.p_common
        chance = reward_chance(family, state, good[:, trial])
        for reward, likelihood in ((1.0, chance), (0.0, 1 - chance)):
            joint = weights * likelihood
            if led * joint.sum() > 0:
                probability = led * joint.sum() / weights.sum()
                total += probability * (reward + go_on(state, reward, joint))
    return total


def optimum(family, good, weights, trial=0):
    """Best expected reward to come, by recursion over all histories."""
    if trial == TRIALS:
        return 0.0
    return max(worths(family, good, weights, trial))


def worths(family, good, weights, trial):
    """Best reward to come after either first action."""

    def rest(_state, _reward, joint):
        return optimum(family, good, joint, trial + 1)

    return [after_first(family, good, weights, trial, action, rest) for action in (0, 1)]


def played(policy, family, good, weights, stores=None, trial=0):
    """Expected reward of a policy, by recursion over its histories.

    At every first stage its values must be the optimal ones but for a constant.
    """
    if trial == TRIALS:
        return 0.0
    stores = policy.start(1, np.random.default_rng(0)) if stores is None else stores
    stimulus = np.eye(3)
    probs, stores = policy.act(stimulus[:1], stores)
    rest = np.array(worths(family, good, weights, trial)) - policy.values(stores)[0]
    assert rest[0] == pytest.approx(rest[1], abs=1e-10)
    total = 0.0
    for action in np.flatnonzero(probs[0]):
        chosen = policy.learn(stores, stimulus[:1], np.array([action]), np.zeros(1))

        def go_on(state, reward, joint, chosen=chosen):
            shown = stimulus[None, state + 1]
            _, reached = policy.act(shown, chosen)
            after = policy.learn(reached, shown, np.zeros(1, int), np.array([reward]))
            return played(policy, family, good, joint, after, trial + 1)

        total += probs[0, action] * after_first(family, good, weights, trial, action, go_on)
    return total


@settings(max_examples=8, deadline=None)
@example(p_common=0.8, p=1.0, hazard=0.0)
@example(p_common=0.8, p=0.0, hazard=1.0)
@example(p_common=0.5, p=1.0, hazard=0.3)
@example(p_common=0.0, p=0.9, hazard=0.025)
@given(p_common=chances, p=chances, hazard=chances)
def test_greed_on_the_filter_is_bayes_optimal_where_rewards_switch(p_common, p, hazard):
    family = make_family(TWO_STEP, p_common=p_common, p=p, hazard=hazard, horizon=2 * TRIALS)
    policy = make_named("two_step_filter", family)
    good, weights = sequences(hazard)
    earned = played(policy, family, good, weights)
    assert earned == pytest.approx(optimum(family, good, weights), abs=1e-10)


def test_its_standing_is_what_is_proven():
    cls = REFERENCES["two_step_filter"]
    assert cls.optimality(make_family(TWO_STEP)) == EXACT
    assert cls.optimality(make_family(TWO_STEP, **DAW)) == NEAR
    for kwargs in ({}, DAW):
        assert best_reference(make_family(TWO_STEP, **kwargs)).name == "two_step_filter"


def folded(x):
    """Reflected at .25 and .75, one step at a time."""
    x = np.where(x > 0.75, 1.5 - x, x)
    return np.where(x < 0.25, 0.5 - x, x)


@pytest.mark.parametrize("rewards", [(1, 1, 1, 1), (0, 0, 1, 0), (1, 0, 1, 1)])
def test_the_grid_follows_a_drifting_chance_as_a_million_walks_do(rewards):
    """Outcome (state 2, choice 1), seen in every trial; the others keep a mean of 1/2."""
    policy = make_named("two_step_filter", make_family(TWO_STEP, **DAW))
    stores, shown = policy.start(1, np.random.default_rng(0)), np.eye(3)[None, 2]
    rng = np.random.default_rng(1)
    walk = rng.uniform(0.25, 0.75, 1_000_000)
    weight = np.ones(len(walk))
    for reward in rewards:
        _, stores = policy.act(shown, stores)
        expected = walk @ weight / weight.sum()
        np.testing.assert_allclose(policy.values(stores), [[0.5, expected]], atol=1e-3)
        stores = policy.learn(stores, shown, np.array([1]), np.array([float(reward)]))
        weight *= walk if reward else 1 - walk
        walk = folded(walk + 0.025 * rng.standard_normal(len(walk)))


def test_the_grid_keeps_probability_and_a_uniform_walk_uniform():
    middles, moves = reflected_walk(50)
    np.testing.assert_allclose(moves.sum(axis=1), 1.0)
    np.testing.assert_allclose(moves.sum(axis=0), 1.0, atol=1e-3)
    spread = ((middles - middles[25]) ** 2) @ moves[25]  # far from the bounds
    assert spread == pytest.approx(0.025**2, rel=0.02)


@pytest.mark.parametrize("kwargs", [{}, {"rewards": "drifting"}, DAW])
def test_beliefs_are_calibrated(kwargs):
    """Rewards minus what the filter expected of the chosen actions have mean 0: rate 1e-4."""
    episodes = fresh_episodes(Setting(TWO_STEP, **kwargs, horizon=60), 1500, 2)
    policy = make_named("two_step_filter", episodes.family)
    expected = []

    def observe(trial):
        _, seen = policy.act(trial.stimulus, trial.stores)
        expected.append(policy.values(seen))

    trace = rollout(policy, episodes, observe=observe)
    chosen = np.take_along_axis(np.array(expected), trace.action[..., None], axis=2)[..., 0]
    for stage in (chosen[::2], chosen[1::2]):  # the first stage expects the reward of the second
        surprise = (trace.reward[1::2] - stage).sum(axis=0)
        assert stats.ttest_1samp(surprise, 0).pvalue > FALSE_ALARM / 2


@pytest.mark.parametrize(
    "kwargs", [{}, {"p": 0.8}, {"p_common": 0.5}, DAW, {"rewards": "drifting"}]
)
def test_nothing_earns_more_than_the_filter(kwargs):
    """Paired over episodes: rate 1e-4 for each policy."""
    best = earned("two_step_filter", **kwargs)
    for name in ("model_based", "hybrid", "model_free", "wsls", "random"):
        gain = earned(name, **kwargs) - best
        assert gain.mean() < 3.72 * gain.std() / len(gain) ** 0.5 + 1e-12


def test_planning_earns_more_than_repeating_where_rewards_switch():
    names = ("two_step_filter", "model_based", "hybrid", "model_free", "random")
    means = [earned(name).mean() for name in names]
    assert means == sorted(means, reverse=True)


@cache
def earned(name, **kwargs):
    """Total rewards of a policy over 500 episodes of 100 steps."""
    episodes = fresh_episodes(Setting(TWO_STEP, **kwargs, horizon=100), 500, 5)
    return rollout(make_named(name, episodes.family), episodes).total


@pytest.mark.parametrize("name", ["hybrid", "model_free", "model_based"])
@pytest.mark.parametrize("kwargs", [DAW, {}])
def test_learners_follow_daws_equations(name, kwargs):
    """Against the equations of the supplement in plain Python, on random histories."""
    family = make_family(TWO_STEP, **kwargs)
    agent = make_named(name, family)
    w = {"hybrid": 0.39, "model_free": 0.0, "model_based": 1.0}[name]
    options, p = family.second_choices, family.p_common
    rng = np.random.default_rng(3)
    stores, eye = agent.start(1, rng), np.eye(3)
    one = [0.0, 0.0]
    two = [[0.0] * options for _ in range(2)]
    last = None
    for _ in range(30):
        planned = [p * max(two[0]) + (1 - p) * max(two[1]), (1 - p) * max(two[0]) + p * max(two[1])]
        net = [w * planned[a] + (1 - w) * one[a] + 0.11 * (a == last) for a in (0, 1)]
        probs, stores = agent.act(eye[:1], stores)
        assert probs[0, 1] == pytest.approx(1 / (1 + np.exp(5.19 * (net[0] - net[1]))))
        a, s, b, r = rng.integers(2, size=4)
        stores = agent.learn(stores, eye[:1], np.array([a]), np.zeros(1))
        probs, stores = agent.act(eye[None, s + 1], stores)
        c = b if options == 2 else 0
        edge = two[s][0] - two[s][1] if options == 2 else 0.0
        assert probs[0, 1] == pytest.approx(1 / (1 + np.exp(3.69 * edge)))
        stores = agent.learn(stores, eye[None, s + 1], np.array([b]), np.array([float(r)]))
        delta_1, delta_2 = two[s][c] - one[a], r - two[s][c]
        one[a] += 0.54 * delta_1 + 0.54 * 0.57 * delta_2
        two[s][c] += 0.42 * delta_2
        last = a


@pytest.mark.parametrize("name", ["hybrid", "model_free", "model_based", "two_step_filter"])
@pytest.mark.parametrize("kwargs", [{}, DAW, {"rewards": "drifting"}])
def test_all_is_in_the_stores_and_the_first_choice_is_a_guess(name, kwargs):
    """The rows of half the batch, read by a second copy, give the same choices."""
    env = {**kwargs, "horizon": 8}
    family = make_family(TWO_STEP, **env)
    seen = []
    agent, other, rows = make_named(name, family), make_named(name, family), np.arange(29, 0, -2)
    trace = rollout(
        agent,
        fresh_episodes(Setting(TWO_STEP, **env), 30, 1),
        observe=lambda trial: seen.append((trial.stimulus, trial.stores, trial.probs)),
    )
    for stimulus, stores, probs in seen:
        again, _ = other.act(stimulus[rows], stores.rows(rows))
        np.testing.assert_allclose(again, probs[rows], atol=1e-12)
    np.testing.assert_allclose(trace.probs[0], 0.5)
    np.testing.assert_allclose(trace.probs.sum(axis=2), 1.0)


def test_a_reward_held_impossible_leaves_no_belief():
    policy = make_named("two_step_filter", make_family(TWO_STEP, p=1.0, hazard=0.0))
    stores, shown = policy.start(1, np.random.default_rng(0)), np.eye(3)[None, 1]
    for reward, belief in ((1.0, [1.0, 0.0]), (0.0, [0.5, 0.5])):
        stores = policy.learn(stores, shown, np.zeros(1, int), np.array([reward]))
        np.testing.assert_array_equal(stores.state["belief"], [belief])
