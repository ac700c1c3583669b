"""What cannot fit into memory is refused in one line before anything of that size is allocated."""

import inspect
import tracemalloc

import gymnasium as gym
import numpy as np
import pytest

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.checks import LARGEST_COUNT
from metalocus.envs.common_random_numbers import MOST_INDICES, CommonRandomNumbers, seed_keys
from metalocus.envs.family import BYTES_PER_NUMBER
from metalocus.envs.registry import FAMILIES
from metalocus.envs.sb3 import BatchVecEnv

HUGE = (10**9, 2**40, 2**41, 2**63, 10**22, 1e22, np.uint64(2**64 - 1), 10**400, 10**5000)
OF_ALL = ("n_tasks", "task_seed")
SMALL = 2**26
"""Bytes that a refusal, or an environment that is not refused, may take."""


def counts(env_id):
    """Names of a family's arguments that are whole numbers."""
    for name, parameter in inspect.signature(FAMILIES[env_id]).parameters.items():
        if type(parameter.default) is int or name == "run_length":
            yield name


def peak(make, *args, **kwargs):
    """What a call returns, or the InvalidTask that it raises, and its peak of memory in bytes."""
    tracemalloc.start()
    try:
        made = make(*args, **kwargs)
    except InvalidTask as error:
        made = error
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return made, most


def test_huge_numbers_are_refused_or_take_little_memory(env_id, case):
    """By the engine; by the interfaces, which add a space and seeds of the rows, the first two."""
    for name in (*counts(env_id), *OF_ALL):
        for i, value in enumerate(HUGE):
            for make in (make_episodes, gym.make, BatchVecEnv) if i < 2 else (make_episodes,):
                with case(name, f"HUGE[{i}]", make):
                    made, most = peak(make, env_id, **{name: value})
                    assert most < SMALL
                    if isinstance(made, InvalidTask):
                        assert "\n" not in str(made)
                        assert len(str(made)) < 300
                    elif make is not make_episodes:
                        env = getattr(made, "unwrapped", made)
                        assert np.isfinite(env.episodes.observation()).all()


def test_every_count_has_a_limit_and_so_have_the_episodes_at_once(env_id, case):
    for name in counts(env_id):
        with case(name), pytest.raises(InvalidTask, match=f"{name} must be at most"):
            make_family(env_id, **{name: LARGEST_COUNT + 1})
    with pytest.raises(InvalidTask, match=r"episodes of \w+ would take about [\d,]+\.\d GiB"):
        make_family(env_id).check_size(10**9)


def test_the_bytes_of_a_task_that_is_too_large_are_told(case):
    """40 for each number: those of the arrays named in the family's docstring, and few more."""
    for family, kwargs, numbers in (
        ("TabularMDP-v0", {"n_states": 5000, "n_actions": 10}, 10 * 5000**2),
        ("DatasetBandit-v0", {"n_examples": 2**26, "sequence": True}, 3 * 2**26),
        ("LinearBandit-v0", {"n_arms": 20_000, "n_features": 10_000}, 2 * 10**8),
    ):
        with case(family):
            with pytest.raises(InvalidTask) as caught:
                make_family(f"metalocus/{family}", **kwargs)
            said = float(str(caught.value).split("about ")[1].split(" GiB")[0])
            assert said == pytest.approx(40 * numbers / 2**30, rel=0.02)


def test_as_many_episodes_as_fit_are_allowed():
    """A two-armed bandit: two means, and an observation of five numbers, 40 bytes each."""
    family = make_family("metalocus/BernoulliBandit-v0")
    family.check_size(4 * 2**30 // 280)
    with pytest.raises(InvalidTask, match=r"would take about 4\.0 GiB of memory, more than 4 "):
        family.check_size(4 * 2**30 // 280 + 1)


def test_an_episode_holds_no_more_numbers_than_its_family_says(examples, case):
    for env_id, kwargs in examples:
        with case(env_id, kwargs):
            episodes = make_episodes(env_id, seed_keys(0, 2), **kwargs)
            held = sum(value[0].size for value in episodes.latents.values())
            assert held <= episodes.family.latent_size
            for _ in range(min(3, episodes.family.horizon)):
                episodes.step(np.zeros(2, dtype=np.int64))
            assert held == sum(value[0].size for value in episodes.latents.values())


LARGE = [
    ("BernoulliBandit-v0", {"n_arms": 10**5}),
    ("BernoulliBandit-v0", {"n_arms": 10**5, "prior": "beta(2,3)"}),
    ("CueBinding-v0", {"n_cues": 64, "n_arms": 10**5}),
    ("DatasetBandit-v0", {"n_examples": 30_000}),
    ("DatasetBandit-v0", {"n_examples": 30_000, "sequence": True}),
    ("DatasetBandit-v0", {"n_arms": 300, "n_examples": 500}),
    ("DatasetBandit-v0", {"rule": "linear", "features": 100, "n_examples": 500}),
    ("DatasetBandit-v0", {"rule": "neighbour", "n_arms": 100, "n_examples": 500}),
    ("GaussianBandit-v0", {"n_arms": 10**5, "sd": None}),
    ("Harlow-v0", {"features": 50_000}),
    ("LinearBandit-v0", {"n_arms": 300, "n_features": 300}),
    ("RestlessBandit-v0", {"n_arms": 10**5}),
    ("ReversalBandit-v0", {"n_arms": 10**5, "cued": True}),
    ("RuleSwitching-v0", {"n_arms": 300, "n_features": 300}),
    ("TabularMDP-v0", {"n_states": 70}),
    ("TabularMDP-v0", {"n_actions": 2000}),
    ("TabularMDP-v0", {"inner_horizon": 2000}),
]


def test_the_estimate_is_above_what_is_taken_and_not_far_above(case):
    """Drawing the tasks, a step, and the observation, of three episodes of 100,000 numbers."""

    def play(family, kwargs):
        episodes = make_episodes(f"metalocus/{family}", seed_keys(0, 3), **kwargs)
        episodes.observation()
        episodes.step(np.zeros(3, dtype=np.int64))
        return episodes

    for family, kwargs in LARGE:
        with case(family, kwargs):
            play(family, kwargs)  # imports and tables are not of the episodes
            episodes, most = peak(lambda family=family, kwargs=kwargs: play(family, kwargs))
            own = episodes.family
            numbers = own.latent_size + own.stimulus_size + own.n_arms + 3
            estimate = 3 * numbers * BYTES_PER_NUMBER
            assert 0.05 * estimate < most < estimate


def test_counters_repeat_beyond_the_limits_and_not_before():
    """The reason for the limits: further numbers would be those of another place."""
    crn = CommonRandomNumbers(seed_keys(0, 4))
    here = crn.bits("reward", 5, MOST_INDICES - 1)
    assert (here != crn.bits("reward", 6, 0)).all()
    np.testing.assert_array_equal(crn.bits("reward", 5, MOST_INDICES), crn.bits("reward", 6, 0))
    last = crn.bits("reward", LARGEST_COUNT - 1)
    assert (last != crn.bits("reward", 0)).all()
    np.testing.assert_array_equal(crn.bits("reward", LARGEST_COUNT), crn.bits("reward", 0))


def test_the_longest_episode_and_the_most_arms_are_allowed():
    longest = make_episodes("metalocus/BernoulliBandit-v0", horizon=LARGEST_COUNT)
    assert longest.step(np.zeros(1, dtype=np.int64))[1].tolist() == [False]
    make_family("metalocus/ReversalBandit-v0", n_arms=MOST_INDICES)
    with pytest.raises(InvalidTask, match=f"at most {MOST_INDICES} arms, got {MOST_INDICES + 1}"):
        make_family("metalocus/ReversalBandit-v0", n_arms=MOST_INDICES + 1)
    with pytest.raises(InvalidTask, match="at most 16777216 numbers in a stimulus"):
        make_family("metalocus/RuleSwitching-v0", n_arms=2**13, n_features=2**12)
    with pytest.raises(InvalidTask, match="horizon must be at most"):
        make_family("metalocus/TabularMDP-v0", n_episodes=2**40)


def test_rewards_that_float32_cannot_hold_are_refused(case):
    for env_id, kwargs in (
        ("metalocus/GaussianBandit-v0", {"sd": 1e38}),
        ("metalocus/GaussianBandit-v0", {"prior_sd": 1e308}),
        ("metalocus/RestlessBandit-v0", {"drift_sd": 1e37}),
        ("metalocus/LinearBandit-v0", {"prior_sd": 1e300}),
        ("metalocus/LinearBandit-v0", {"prior_sd": 0.0, "sd": 1e-320}),
    ):
        with case(env_id, kwargs), pytest.raises(InvalidTask, match="which float32 cannot hold"):
            make_family(env_id, **kwargs)


def test_a_picture_of_too_many_arms_is_refused():
    env = gym.make("metalocus/BernoulliBandit-v0", n_arms=1001, render_mode="rgb_array")
    env.reset(seed=0)
    with pytest.raises(InvalidTask, match="a picture shows at most 1000 arms, not 1001"):
        env.render()
