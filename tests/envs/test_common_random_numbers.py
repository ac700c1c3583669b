"""Random numbers are a fixed function of (episode, stream, time, index), uniform, independent.

The statistical tests use fixed seeds, so they pass or fail for good; the rate given with
each is the probability that sound randomness would have failed it.
"""

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metalocus.envs import make_episodes
from metalocus.envs.common_random_numbers import (
    CommonRandomNumbers,
    episode_keys,
    first_key,
    mix,
    seed_keys,
)

MASK = 2**64 - 1
GAMMA = 0x9E3779B97F4A7C15
FALSE_ALARM = 1e-4  # of each single test below

words = st.integers(0, MASK)


def finalise(z):
    """SplitMix64's output function on a Python integer (Steele, Lea & Flood 2014)."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def number(seed, episode, name, t, index):
    """The number in [0, 1) that belongs to one place, in Python integers."""
    root = int(np.random.default_rng(seed).integers(0, 2**63, dtype=np.uint64))
    key = finalise((root + (episode + 1) * GAMMA) & MASK)
    label = int.from_bytes(name.encode().ljust(8, b"\0"), "little")
    stream = finalise(key ^ finalise(label))
    word = finalise((stream + (t * 2**24 + 1 + index) * GAMMA) & MASK)
    return (word >> 11) / 2**53


def test_finaliser_gives_splitmix64s_published_sequence():
    """The first outputs of the generator with state 1234567."""
    states = np.uint64(1234567) + np.arange(1, 6, dtype=np.uint64) * np.uint64(GAMMA)
    assert mix(states).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(st.lists(words, min_size=1))
def test_finaliser_equals_python_integers(values):
    given_words = np.array(values, dtype=np.uint64)
    assert mix(given_words).tolist() == [finalise(value) for value in values]
    assert given_words.tolist() == values  # unchanged


@settings(max_examples=50)
@given(
    seed=st.integers(0, 2**64),
    episode=st.integers(0, 2**40),
    name=st.sampled_from(["task", "reward", "switch", "12345678"]),
    t=st.integers(0, 2**20),
    index=st.integers(0, 2**20),
)
def test_every_number_equals_python_integers(seed, episode, name, t, index):
    crn = CommonRandomNumbers(episode_keys(seed_keys(seed, 3), episode))
    expected = [number(seed + row, episode, name, t, index) for row in range(3)]
    assert crn.uniform(name, t, index).tolist() == expected
    times, indices = np.full(3, t), np.full(3, index)
    assert crn.uniform(name, times, indices).tolist() == expected
    wide = crn.uniform(name, times, np.array([[0, index]]))
    assert wide.shape == (3, 2)
    assert wide[:, 1].tolist() == expected
    assert crn.uniform(name, t, np.stack([indices, indices], axis=1))[:, 0].tolist() == expected


def test_environments_draw_their_key_from_np_random():
    env = gym.make("metalocus/BernoulliBandit-v0").unwrapped
    env.reset(seed=11)
    assert env.episodes.keys.tolist() == [first_key(np.random.default_rng(11))]
    assert env.episodes.latents["means"][0].tolist() == [
        number(11, 0, "task", 0, arm) for arm in range(2)
    ]


def test_keys_do_not_depend_on_how_many_there_are():
    assert seed_keys(5, 3).tolist() == seed_keys(5, 100)[:3].tolist()
    assert seed_keys(5, 3)[1:].tolist() == seed_keys(6, 2).tolist()
    everyone, some = CommonRandomNumbers(seed_keys(0, 50)), np.array([40, 2, 7])
    chosen = everyone.select(some)
    assert len(chosen) == 3
    assert chosen.uniform("reward", 4).tolist() == everyone.uniform("reward", 4)[some].tolist()


def test_a_long_stream_name_is_refused_not_cut():
    crn = CommonRandomNumbers(seed_keys(0, 1))
    crn.uniform("stimulus")
    with pytest.raises(ValueError, match="longer than 8"):
        crn.uniform("stimulus2")


def numbers(name="reward", rows=250, episodes=4, times=20, indices=5, seed=0):
    """The numbers of many places, [rows, episodes, times, indices]."""
    keys = seed_keys(seed, rows)
    return np.stack(
        [
            np.stack(
                [
                    CommonRandomNumbers(episode_keys(keys, episode)).uniform(
                        name, t, np.arange(indices)[None]
                    )
                    for t in range(times)
                ],
                axis=1,
            )
            for episode in range(episodes)
        ],
        axis=1,
    )


def assert_uncorrelated(x, y):
    """Correlation of two samples of independent numbers, by its normal limit."""
    r = np.corrcoef(x.ravel(), y.ravel())[0, 1]
    assert abs(r) * np.sqrt(x.size) < stats.norm.isf(FALSE_ALARM / 2)


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_numbers_are_uniform(seed, case):
    """Kolmogorov-Smirnov against U[0, 1), for every stream: rate 1e-4."""
    for name in ("task", "reward", "switch", "which", "policy"):
        with case(name):
            u = numbers(name, seed=seed).ravel()
            assert stats.kstest(u, "uniform").pvalue > FALSE_ALARM


def test_numbers_fill_pairs_of_places_evenly():
    """Chi-squared on a 16 by 16 grid of neighbouring numbers, along every axis: rate 4e-4."""
    u = numbers(episodes=8)
    for axis in range(4):
        moved = np.moveaxis(u, axis, 0)
        grid = np.histogram2d(moved[:-1].ravel()[::2], moved[1:].ravel()[::2], 16)[0]
        assert stats.chisquare(grid.ravel()).pvalue > FALSE_ALARM


@pytest.mark.parametrize("axis", range(4), ids=["seed", "episode", "time", "index"])
def test_neighbouring_places_are_independent(axis, case):
    """Also of the squared distance from 1/2, which shows a fault that is symmetric in sign."""
    moved = np.moveaxis(numbers(), axis, 0)
    for lag in (1, 2, 3):
        for change in (lambda u: u, lambda u: (u - 0.5) ** 2):
            with case(lag):
                assert_uncorrelated(change(moved[:-lag]), change(moved[lag:]))


def test_streams_are_independent(case):
    rewards = numbers("reward")
    for other in ("task", "switch", "which", "policy"):
        with case(other):
            assert_uncorrelated(rewards, numbers(other))
            assert not np.intersect1d(rewards, numbers(other)).size


def test_every_bit_is_fair():
    """64 binomial tests: rate 6.4e-3 in all."""
    bits = CommonRandomNumbers(seed_keys(3, 5000)).bits("reward", 3)
    ones = (bits[:, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)).sum(axis=0)
    assert min(stats.binomtest(int(k), 5000).pvalue for k in ones) > FALSE_ALARM


def test_normal_numbers_are_normal():
    z = np.stack([CommonRandomNumbers(seed_keys(0, 500)).normal("noise", t) for t in range(40)])
    assert np.isfinite(z).all()
    assert stats.kstest(z.ravel(), "norm").pvalue > FALSE_ALARM


def test_normal_numbers_are_finite_at_the_ends(monkeypatch):
    crn = CommonRandomNumbers(seed_keys(0, 2))
    ends = np.array([0.0, 1.0 - 2.0**-53])
    monkeypatch.setattr(crn, "uniform", lambda *_: ends)
    low, high = crn.normal("noise")
    assert -np.inf < low < -8
    assert 8 < high < np.inf


def test_the_same_action_at_the_same_trial_gets_the_same_reward(configs, case):
    """Two policies on one seed: wherever task and action agree, so does the reward."""
    for env_id, kwargs in configs:
        with case(env_id, kwargs):
            one, two = (make_episodes(env_id, seed_keys(8, 80), **kwargs) for _ in range(2))
            rng = np.random.default_rng(0)
            agreed = 0
            for _ in range(min(one.family.horizon, 12)):
                same_task = np.ones(80, dtype=bool)
                for name in one.latents:
                    equal = one.latents[name] == two.latents[name]
                    same_task &= equal.reshape(80, -1).all(axis=1)
                actions = [rng.integers(one.family.n_arms, size=80) for _ in range(2)]
                rewards = [one.step(actions[0])[0], two.step(actions[1])[0]]
                both = same_task & (actions[0] == actions[1])
                agreed += both.sum()
                np.testing.assert_array_equal(rewards[0][both], rewards[1][both])
            assert agreed
