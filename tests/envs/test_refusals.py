"""Impossible tasks, arguments and actions are refused with one line, and change nothing."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys
from metalocus.envs.registry import FAMILIES
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.envs.single import SingleEnv
from metalocus.envs.vector import BatchEnv

BANDIT, REVERSAL = "metalocus/BernoulliBandit-v0", "metalocus/ReversalBandit-v0"

BAD_TASKS = [
    (BANDIT, {"means": [0.5, 1.5]}, "means must be a probability"),
    (BANDIT, {"means": [0.5, -0.1]}, "means must be a probability"),
    (BANDIT, {"means": [0.5, float("nan")]}, "means must be a probability"),
    (BANDIT, {"means": [0.1, 0.2, 0.3]}, r"'means' must be float64 of shape \(2,\)"),
    (BANDIT, {"means": "half"}, "'means' must be"),
    (BANDIT, {"means": None}, "'means' must be"),
    (BANDIT, {"probs": [0.5, 0.5]}, "no 'probs'; its latents are means"),
    (BANDIT, [0.5, 0.5], "task must map"),
    (BANDIT, "easy", "task must map"),
    (REVERSAL, {"good": 2}, "good must be from 0 to 1"),
    (REVERSAL, {"good": -1}, "good must be from 0 to 1"),
    (REVERSAL, {"good": 0.5}, "'good' must be int64"),
    (REVERSAL, {"good": float("nan")}, "'good' must be int64"),
    (REVERSAL, {"means": [0.5, 0.5]}, "no 'means'; its latents are good"),
]


@pytest.mark.parametrize(("which", "task", "message"), BAD_TASKS)
def test_a_bad_task_is_refused_and_leaves_the_episode_as_it_was(which, task, message):
    with pytest.raises(InvalidTask, match=message) as caught:
        gym.make(which).unwrapped.reset(seed=0, options={"task": task})
    assert "\n" not in str(caught.value)
    episodes = make_episodes(which, seed_keys(0, 2))
    before = episodes.state_dict()
    with pytest.raises(InvalidTask, match=message):
        episodes.set_task(task)
    for name, value in episodes.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


BAD_ARGUMENTS = [
    (BANDIT, {"n_arms": 1}, "n_arms must be a whole number of at least 2"),
    (BANDIT, {"n_arms": 2.0}, "n_arms must be a whole number"),
    (BANDIT, {"n_arms": True}, "n_arms must be a whole number"),
    (BANDIT, {"n_arms": "2"}, "n_arms must be a whole number"),
    (BANDIT, {"horizon": 0}, "horizon must be a whole number of at least 1"),
    (BANDIT, {"horizon": -3}, "horizon must be"),
    (BANDIT, {"horizon": True}, "horizon must be"),
    (BANDIT, {"horizon": float("nan")}, "horizon must be"),
    (BANDIT, {"horizon": np.zeros((30, 30))}, "horizon must be"),
    (BANDIT, {"prior": "gaussian"}, "prior must be 'uniform'"),
    (BANDIT, {"prior": None}, "prior must be 'uniform'"),
    (BANDIT, {"prior": "beta(0,1)"}, "needs two positive numbers"),
    (BANDIT, {"prior": "beta(nan,1)"}, "needs two positive numbers"),
    (BANDIT, {"prior": "beta(1,inf)"}, "needs two positive numbers"),
    (BANDIT, {"prior": "beta(inf,1)"}, "needs two positive numbers"),
    (BANDIT, {"prior": "beta(one,two)"}, "needs two positive numbers"),
    (BANDIT, {"prior": "beta(1)"}, "prior must be"),
    (BANDIT, {"prior": "easy", "n_arms": 3}, "'easy' needs n_arms=2, got 3"),
    (BANDIT, {"prior": "dependent", "n_arms": 5}, "'dependent' needs n_arms=2"),
    (BANDIT, {"hazard": 0.1}, "has no argument 'hazard'; choose from n_arms, horizon, prior"),
    (REVERSAL, {"p": 1.5}, r"p must be a probability in \[0, 1\], got 1.5"),
    (REVERSAL, {"p": -0.1}, "p must be a probability"),
    (REVERSAL, {"p": float("nan")}, "p must be a probability"),
    (REVERSAL, {"p": "often"}, "p must be a probability"),
    (REVERSAL, {"p": None}, "p must be a probability"),
    (REVERSAL, {"hazard": 1.1}, "hazard must be a probability"),
    (REVERSAL, {"hazard": [0.1, 0.2]}, "hazard must be a probability"),
    (REVERSAL, {"horizon": 0}, "horizon must be"),
    (REVERSAL, {"cued": 1}, "cued must be True or False"),
    (REVERSAL, {"n_arms": 1}, "n_arms must be a whole number of at least 2"),
    (REVERSAL, {"prior": "easy"}, "has no argument 'prior'; choose from p, hazard"),
]
BAD_FOR_ALL = [
    ({"n_tasks": 0}, "n_tasks must be a whole number of at least 1"),
    ({"n_tasks": 1.5}, "n_tasks must be"),
    ({"task_seed": -1}, "task_seed must be a whole number of at least 0"),
    ({"task_seed": None}, "task_seed must be"),
    ({"colour": "red"}, "has no argument 'colour'; choose from"),
    ({"observe": ["smell"]}, "observe has no part 'smell'"),
]


def refusals(env_id, kwargs):
    """What every form of the environment says of the arguments."""
    makers = (
        lambda: gym.make(env_id, **kwargs),
        lambda: gym.make_vec(env_id, 2, **kwargs),
        lambda: BatchVecEnv(env_id, 2, **kwargs),
        lambda: make_episodes(env_id, **kwargs),
    )
    for make in makers:
        with pytest.raises(InvalidTask) as caught:
            make()
        yield str(caught.value)


@pytest.mark.parametrize(("which", "kwargs", "message"), BAD_ARGUMENTS)
def test_a_bad_argument_is_refused_in_one_line(which, kwargs, message):
    said = set(refusals(which, kwargs))
    assert len(said) == 1
    with pytest.raises(InvalidTask, match=message):
        make_family(which, **kwargs)
    assert "\n" not in said.pop()


@pytest.mark.parametrize(("kwargs", "message"), BAD_FOR_ALL)
def test_arguments_of_every_family_are_checked(env_id, kwargs, message):
    for said in refusals(env_id, kwargs):
        assert message in said
        assert "\n" not in said


def test_an_unknown_id_is_refused_with_the_known_ones():
    with pytest.raises(InvalidTask) as caught:
        make_episodes("metalocus/Nothing-v0")
    assert "unknown environment 'metalocus/Nothing-v0'" in str(caught.value)
    for env_id in FAMILIES:
        assert env_id in str(caught.value)


@pytest.mark.parametrize("mode", ["human", "text", 3])
def test_an_unknown_render_mode_is_refused(env_id, mode):
    for form in (SingleEnv, BatchEnv, BatchVecEnv):
        with pytest.raises(InvalidTask, match="render_mode must be"):
            form(env_id, render_mode=mode)


@pytest.mark.parametrize("n", [0, -1, 1.5, None])
def test_a_bad_number_of_rows_is_refused(env_id, n):
    with pytest.raises(InvalidTask, match="num_envs must be"):
        BatchVecEnv(env_id, n)
    with pytest.raises(InvalidTask, match="num_envs must be"):
        gym.make_vec(env_id, n)


def test_disabled_autoreset_is_refused(env_id):
    with pytest.raises(InvalidTask, match="NEXT_STEP or SAME_STEP"):
        gym.make_vec(env_id, 2, autoreset_mode="Disabled")


@pytest.mark.parametrize("action", [-1, 2, 0.5, "left", None, [0], float("nan"), np.array([0, 1])])
def test_a_bad_action_is_refused_and_plays_nothing(action):
    env = gym.make(BANDIT).unwrapped
    env.reset(seed=0)
    with pytest.raises(InvalidTask, match="action must be in Discrete") as caught:
        env.step(action)
    assert "\n" not in str(caught.value)
    assert env.episodes.t.tolist() == [0]


BAD_BATCHES = [
    [0, 1, 2],
    [0, 1, -1],
    [0, 1],
    0,
    [[0], [1], [0]],
    [0.0, 1.0, 0.0],
    [True, False, True],
    ["a", "b", "c"],
    [None] * 3,
    np.array([0, 0, -1], dtype=np.int8),
    np.arange(400),
]


@pytest.mark.parametrize("actions", BAD_BATCHES, ids=str)
def test_bad_actions_of_a_batch_are_refused_and_play_nothing(actions):
    for env in (gym.make_vec(BANDIT, 3), BatchVecEnv(BANDIT, 3, seed=0)):
        env.reset()
        with pytest.raises(InvalidTask, match="actions must be 3 whole numbers from 0 to 1") as it:
            env.step(actions)
        assert "\n" not in str(it.value)
        assert env.episodes.t.tolist() == [0, 0, 0]


def test_actions_of_every_whole_type_are_taken():
    for actions in ([0, 1, 1], (0, 1, 1), np.array([0, 1, 1], np.uint8), np.array([0, 1, 1])):
        env = gym.make_vec(BANDIT, 3)
        env.reset(seed=0)
        observation = env.step(actions)[0]
        assert observation[:, :2].tolist() == [[1, 0], [0, 1], [0, 1]]


@pytest.mark.parametrize(
    "mask",
    [[True], np.array([1, 0, 0]), np.zeros(3, dtype=bool), np.ones((3, 1), dtype=bool), "all"],
    ids=str,
)
def test_a_bad_mask_is_refused(mask):
    env = gym.make_vec(BANDIT, 3)
    env.reset(seed=0)
    with pytest.raises(InvalidTask, match="reset_mask must be 3 booleans"):
        env.reset(options={"reset_mask": mask})


def test_a_bad_list_of_seeds_is_refused():
    env = gym.make_vec(BANDIT, 3)
    with pytest.raises(InvalidTask, match="seed must be 3 seeds"):
        env.reset(seed=[1, 2])


def test_a_step_needs_a_reset_first(env_id, brief):
    single, vector = gym.make(env_id, **brief(env_id)).unwrapped, gym.make_vec(env_id, 2)
    with pytest.raises(ResetNeeded):
        single.step(0)
    with pytest.raises(ResetNeeded):
        vector.step(np.zeros(2, dtype=np.int64))
    with pytest.raises(InvalidTask, match="reset every row once"):
        vector.reset(seed=0, options={"reset_mask": np.array([True, False])})
    single.reset(seed=0)
    for _ in range(single.episodes.family.horizon):
        single.step(0)
    with pytest.raises(ResetNeeded):
        single.step(0)


def test_the_error_is_a_value_error_that_can_be_pickled():
    error = InvalidTask("two\n  lines")
    assert isinstance(error, ValueError)
    assert str(pickle.loads(pickle.dumps(error))) == "two lines"
