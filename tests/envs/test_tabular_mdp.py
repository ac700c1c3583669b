"""Random processes are drawn, stepped and valued as the docstring says.

Statistical tests are fixed (seeds given, hypothesis derandomised); each would fail sound code
with probability 1e-4 at most, all its examples together.
"""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys
from metalocus.envs.families.tabular_mdp import optimal_values

MDP = "metalocus/TabularMDP-v0"
FALSE_ALARM = 1e-4
EXAMPLES = 8
TINY = {"n_states": 2, "n_actions": 2, "inner_horizon": 2, "n_episodes": 3}


def begin(n, seed=0, **kwargs):
    """n episodes at their first step."""
    return make_episodes(MDP, seed_keys(seed, n), **kwargs)


def test_rewards_are_drawn_from_the_normal_prior():
    rewards = begin(200).latents["rewards"]
    assert rewards.shape == (200, 10, 5)
    assert stats.kstest(rewards.ravel(), stats.norm(1, 1).cdf).pvalue > FALSE_ALARM / 3
    one, other = rewards.reshape(-1, 2).T
    assert stats.spearmanr(one, other).pvalue > FALSE_ALARM / 3
    assert stats.spearmanr(rewards[:100].ravel(), rewards[100:].ravel()).pvalue > FALSE_ALARM / 3


@pytest.mark.parametrize("n_states", [2, 3, 10])
def test_transitions_are_drawn_from_the_flat_dirichlet(n_states):
    """Each probability is Beta(1, S - 1) and each pair's sum Beta(2, S - 2), by Kolmogorov."""
    transitions = begin(300, n_states=n_states).latents["transitions"]
    np.testing.assert_allclose(transitions.sum(axis=3), 1.0)
    flat = transitions.reshape(-1, n_states)
    law = stats.beta(1, n_states - 1)
    assert stats.kstest(flat[:, 0], law.cdf).pvalue > FALSE_ALARM / 9
    assert stats.kstest(flat[:, -1], law.cdf).pvalue > FALSE_ALARM / 9
    if n_states > 2:
        pair = stats.beta(2, n_states - 2)
        assert stats.kstest(flat[:, 0] + flat[:, 1], pair.cdf).pvalue > FALSE_ALARM / 9


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**20), n_states=st.integers(2, 5))
def test_a_process_moves_and_pays_by_its_latents(seed, n_states):
    """Transitions of one known process by binomial tests, noise of its rewards by Kolmogorov."""
    episodes = begin(1500, seed, n_states=n_states, n_actions=2, inner_horizon=6)
    rng = np.random.default_rng(seed)
    transitions = rng.dirichlet(np.ones(n_states), size=(n_states, 2))
    rewards = rng.normal(size=(n_states, 2))
    episodes.set_task({"transitions": transitions, "rewards": rewards})
    counts, noise = np.zeros((n_states, 2, n_states)), []
    for _ in range(5):
        state, action = episodes.latents["state"].copy(), rng.integers(2, size=1500)
        means = episodes.means()[np.arange(1500), action]
        np.testing.assert_array_equal(means, rewards[state, action])
        noise.append(episodes.step(action)[0] - means)
        np.add.at(counts, (state, action, episodes.latents["state"]), 1)
    assert stats.kstest(np.concatenate(noise), "norm").pvalue > FALSE_ALARM / (2 * EXAMPLES)
    for place in np.ndindex(counts.shape):
        tried = int(counts[place[:2]].sum())
        if tried:
            test = stats.binomtest(int(counts[place]), tried, transitions[place])
            assert test.pvalue > FALSE_ALARM / (2 * 50 * EXAMPLES)


def test_every_inner_episode_starts_anew_in_the_same_process():
    episodes = begin(40, inner_horizon=4, n_episodes=3)
    rng = np.random.default_rng(0)
    before = {name: episodes.latents[name].copy() for name in ("rewards", "transitions")}
    visited = set()
    for t in range(12):
        inner, state = episodes.latents["inner"], episodes.latents["state"]
        assert (inner == t % 4).all()
        assert t % 4 or (state == 0).all()
        visited |= set(state)
        shown = episodes.stimulus()
        np.testing.assert_array_equal(shown[:, :-1], np.eye(10)[state])
        np.testing.assert_array_equal(shown[:, -1], t % 4 == 0)
        episodes.step(rng.integers(5, size=40))
        for name, value in before.items():
            np.testing.assert_array_equal(episodes.latents[name], value)
    assert visited == set(range(10))


def brute_force(rewards, transitions, horizon):
    """Best expected total by trying every policy (an action for each step and state), [S, A]."""
    states, actions = rewards.shape
    best = np.full((states, actions), -np.inf)
    for policy in product(range(actions), repeat=(horizon - 1) * states):
        plan = np.array(policy, dtype=int).reshape(horizon - 1, states)
        for s, a in product(range(states), range(actions)):
            total, place = rewards[s, a], transitions[s, a]
            for row in plan:
                total += place @ rewards[np.arange(states), row]
                place = place @ transitions[np.arange(states), row]
            best[s, a] = max(best[s, a], total)
    return best


@pytest.mark.parametrize(("states", "actions", "horizon"), [(2, 2, 2), (2, 2, 3), (3, 2, 3)])
def test_optimal_values_are_those_of_the_best_of_all_policies(states, actions, horizon):
    size = {"n_states": states, "n_actions": actions}
    latents = begin(5, **size, inner_horizon=horizon).latents
    for row in range(5):
        rewards, transitions = latents["rewards"][row], latents["transitions"][row]
        for done in range(horizon):
            best = brute_force(rewards, transitions, horizon - done)
            np.testing.assert_allclose(latents["optimal"][row, done], best, atol=1e-12)


def test_the_privileged_value_is_the_optimal_value_of_the_state_reached():
    episodes = begin(30)
    for _ in range(25):
        latents, privileged_value = episodes.latents, episodes.privileged_value()
        for row in range(30):
            place = latents["inner"][row], latents["state"][row]
            np.testing.assert_array_equal(privileged_value[row], latents["optimal"][row][place])
        episodes.step(privileged_value.argmax(axis=1))


def test_the_actions_of_highest_privileged_value_earn_it():
    """Total of an inner episode against its optimal value at the start, by t-test: rate 1e-4."""
    episodes = begin(4000, n_episodes=1)
    excess = -episodes.privileged_value().max(axis=1)
    for _ in range(10):
        excess += episodes.step(episodes.privileged_value().argmax(axis=1))[0]
    assert stats.ttest_1samp(excess, 0).pvalue > FALSE_ALARM


def test_values_follow_a_task_that_is_given():
    episodes = begin(3, **TINY)
    rewards = np.array([[0.0, 1.0], [2.0, 0.5]])
    episodes.set_task({"rewards": rewards})
    transitions = episodes.latents["transitions"]
    expected = optimal_values(np.tile(rewards, (3, 1, 1)), transitions, 2)
    np.testing.assert_array_equal(episodes.latents["optimal"], expected)


def test_noise_belongs_to_the_step_and_action():
    """Two agents that do the same at a step meet the same noise, whatever they did before."""
    one, other = begin(100, n_states=1, inner_horizon=3), begin(100, n_states=1, inner_horizon=3)
    one.step(np.zeros(100, int))
    other.step(np.ones(100, int))
    last = np.full(100, 2)
    np.testing.assert_array_equal(one.step(last)[0], other.step(last)[0])


def test_one_fixed_process_is_the_control():
    drawn = [begin(50, seed, n_tasks=1).latents for seed in (0, 9)]
    for name in ("rewards", "transitions", "optimal"):
        assert len(np.unique(np.concatenate([one[name] for one in drawn]), axis=0)) == 1


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_states": 0}, "n_states must be a whole number of at least 1"),
        ({"n_actions": 1}, "n_actions must be a whole number of at least 2"),
        ({"inner_horizon": 0}, "inner_horizon must be a whole number of at least 1"),
        ({"n_episodes": 1.5}, "n_episodes must be a whole number of at least 1"),
    ],
)
def test_bad_arguments_are_refused(kwargs, message):
    with pytest.raises(InvalidTask, match=message):
        make_family(MDP, **kwargs)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"state": 2}, "state must be from 0 to 1"),
        ({"inner": -1}, "inner must be from 0 to 1"),
        ({"rewards": np.full((2, 2), 10.0)}, "rewards must lie within 8.3 of 1.0"),
        ({"rewards": np.full((2, 2), np.nan)}, "'rewards' must be finite"),
        ({"transitions": np.full((2, 2, 2), 0.6)}, "transitions must be probabilities"),
        ({"transitions": np.tile([1.5, -0.5], (2, 2, 1))}, "transitions must be probabilities"),
    ],
)
def test_bad_tasks_are_refused(task, message):
    with pytest.raises(InvalidTask, match=message):
        begin(2, **TINY).set_task(task)
