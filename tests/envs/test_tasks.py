"""Fixed sets of tasks, and tasks given by the user."""

import gymnasium as gym
import numpy as np
from scipy import stats

from metalocus.envs import make_episodes
from metalocus.envs.common_random_numbers import seed_keys
from metalocus.envs.sb3 import BatchVecEnv

BANDIT, REVERSAL = "metalocus/BernoulliBandit-v0", "metalocus/ReversalBandit-v0"
FALSE_ALARM = 1e-4
FEW = ({"n_tasks": 2}, {})


def drawn(env_id, n=400, seed=0, **kwargs):
    """The latents of each of n episodes, as bytes."""
    latents = make_episodes(env_id, seed_keys(seed, n), **kwargs).latents
    return [b"".join(value[row].tobytes() for value in latents.values()) for row in range(n)]


def test_no_more_tasks_than_asked_for_whatever_the_seed(env_id, case):
    for n_tasks in (1, 2, 7):
        with case(n_tasks):
            tasks = set(drawn(env_id, n=200, n_tasks=n_tasks))
            assert len(tasks) <= n_tasks
            assert set(drawn(env_id, n=200, seed=1000, n_tasks=n_tasks)) == tasks


def test_every_configuration_has_as_many_tasks_as_asked_for(examples, case):
    """All seven, where the family has many: one is missed with probability 3e-13."""
    for env_id, kwargs in examples:
        with case(env_id, kwargs):
            fixed = set(drawn(env_id, n=200, n_tasks=7, **kwargs))
            endless = len(set(drawn(env_id, n=200, **kwargs))) == 200
            assert len(fixed) == 7 if endless else len(fixed) <= 7


def test_fixed_tasks_fix_the_task_and_leave_the_noise(examples, case):
    """An episode on a fixed task is the episode of that number, given this task to play."""
    for env_id, kwargs in examples:
        with case(env_id, kwargs):
            fixed, given = (make_episodes(env_id, seed_keys(4, 30), **kwargs, **few) for few in FEW)
            given.set_task(fixed.latents)
            rng = np.random.default_rng(0)
            for _ in range(min(fixed.family.horizon, 12)):
                np.testing.assert_array_equal(fixed.observation(), given.observation())
                action = rng.integers(fixed.family.n_arms, size=30)
                np.testing.assert_array_equal(fixed.step(action)[0], given.step(action)[0])


def test_fixed_tasks_are_as_many_as_asked_for_and_equally_frequent():
    tasks, counts = np.unique(drawn(BANDIT, n=2000, n_tasks=7), return_counts=True)
    assert len(tasks) == 7
    assert stats.chisquare(counts).pvalue > FALSE_ALARM


def test_fewer_fixed_tasks_are_the_first_of_more():
    few, many = set(drawn(BANDIT, n_tasks=3)), set(drawn(BANDIT, n_tasks=8))
    assert few < many


def test_another_task_seed_gives_other_tasks():
    one, other = (set(drawn(BANDIT, n_tasks=5, task_seed=seed)) for seed in (0, 1))
    assert not one & other


def test_fixed_tasks_are_drawn_from_the_prior():
    """1000 of them against U[0, 1] by Kolmogorov-Smirnov: rate 1e-4."""
    latents = make_episodes(BANDIT, seed_keys(0, 3000), n_tasks=1000).latents
    values = np.unique(latents["means"])
    assert stats.kstest(values, "uniform").pvalue > FALSE_ALARM


def test_fixed_tasks_are_not_the_first_draws_of_an_equal_seed():
    """Testing on the whole distribution with the task seed is not testing on the fixed tasks."""
    fixed = set(drawn(BANDIT, n_tasks=5, task_seed=0))
    episodes = make_episodes(BANDIT, seed_keys(0, 50))
    for _ in range(10):
        fresh = {row.tobytes() for row in episodes.latents["means"]}
        assert not fixed & fresh
        episodes.reset()


def test_rewards_on_one_fixed_task_are_independent_between_episodes():
    """Pairs of episodes on the same task agree as often as chance has it: rate 1e-4."""
    episodes = make_episodes(BANDIT, seed_keys(0, 1000), n_tasks=1, horizon=30)
    mean = episodes.latents["means"][0, 0]
    rewards = np.stack([episodes.step(np.zeros(1000, int))[0] for _ in range(30)])
    agree = int((rewards[:, ::2] == rewards[:, 1::2]).sum())
    chance = mean**2 + (1 - mean) ** 2
    assert stats.binomtest(agree, rewards.size // 2, chance).pvalue > FALSE_ALARM


def test_a_given_task_is_played(env_id):
    donor = make_episodes(env_id, seed_keys(99, 1)).latents
    task = {name: value[0] for name, value in donor.items()}
    env = gym.make(env_id, reveal=True)
    for options in ({"task": task}, {"task": {}}, {"task": None}, None, {}):
        _, info = env.reset(seed=0, options=options)
        own = make_episodes(env_id, seed_keys(0, 1)).latents
        expected = donor if options and options.get("task") else own
        for name, value in expected.items():
            np.testing.assert_array_equal(info[name], value[0])


def test_a_given_task_lasts_one_episode(brief):
    env = gym.make(BANDIT, reveal=True, **brief(BANDIT))
    env.reset(seed=0, options={"task": {"means": [0.0, 1.0]}})
    rewards = [env.step(t % 2)[1] for t in range(4)]
    assert rewards == [0.0, 1.0, 0.0, 1.0]
    _, info = env.reset()
    assert info["means"].tolist() not in ([0.0, 1.0], [1.0, 0.0])


def test_a_task_is_given_to_the_rows_that_are_reset():
    env = gym.make_vec(BANDIT, 3, reveal=True)
    _, before = env.reset(seed=0)
    mask = np.array([False, True, False])
    _, info = env.reset(options={"reset_mask": mask, "task": {"means": [0.25, 0.5]}})
    assert info["means"][1].tolist() == [0.25, 0.5]
    np.testing.assert_array_equal(info["means"][~mask], before["means"][~mask])
    per_row = [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]
    assert env.reset(options={"task": {"means": per_row}})[1]["means"].tolist() == per_row


def test_sb3_options_give_tasks_row_by_row_once():
    env = BatchVecEnv(REVERSAL, 3, seed=0, reveal=True)
    env.reset()
    good = env.episodes.latents["good"].copy()
    env.seed(0)
    env.set_options([{"task": {"good": 1 - good[0]}}, {}, {"task": {"good": 1 - good[2]}}])
    env.reset()
    assert env.episodes.latents["good"].tolist() == [1 - good[0], good[1], 1 - good[2]]
    env.seed(0)
    env.reset()
    assert env.episodes.latents["good"].tolist() == good.tolist()
