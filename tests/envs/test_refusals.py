"""Impossible tasks, arguments and actions are refused with one line, and change nothing."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import first_key, seed_keys
from metalocus.envs.registry import FAMILIES
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.envs.single import SingleEnv
from metalocus.envs.vector import BatchEnv

BANDIT, REVERSAL = "metalocus/BernoulliBandit-v0", "metalocus/ReversalBandit-v0"

BAD_TASKS = [
    (BANDIT, {"means": [0.5, 1.5]}, "means must be numbers from 0 to 1"),
    (BANDIT, {"means": [0.5, -0.1]}, "means must be numbers from 0 to 1"),
    (BANDIT, {"means": [0.5, float("nan")]}, "'means' must be finite"),
    (BANDIT, {"means": [0.5, float("inf")]}, "'means' must be finite"),
    (BANDIT, {"means": [0.5, 1j]}, "'means' must be float64"),
    (BANDIT, {"means": [[0.5], [0.5, 0.5]]}, "'means' must be float64"),
    (BANDIT, {5: 0.5}, "no 5; its latents are means"),
    ("metalocus/Harlow-v0", {"objects": 1e300}, "'objects' must be finite"),
    (REVERSAL, {"good": 10**30}, "'good' must be int64"),
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


def test_a_bad_task_is_refused_and_leaves_the_episode_as_it_was(case):
    for which, task, message in BAD_TASKS:
        with case(which, task):
            with pytest.raises(InvalidTask, match=message) as caught:
                gym.make(which).unwrapped.reset(seed=0, options={"task": task})
            assert "\n" not in str(caught.value)
            episodes = make_episodes(which, seed_keys(0, 2))
            before = episodes.state_dict()
            with pytest.raises(InvalidTask, match=message):
                episodes.set_task(task)
            for name, value in episodes.state_dict().items():
                np.testing.assert_array_equal(value, before[name])


def test_a_task_that_is_not_finite_is_refused_in_every_configuration(examples, case):
    for env_id, kwargs in examples:
        episodes = make_episodes(env_id, seed_keys(0, 2), **kwargs)
        for name, value in episodes.latents.items():
            for bad in (np.nan, np.inf, -np.inf):
                with case(env_id, kwargs, name, bad):
                    given = value.astype(float)
                    if not given.size:
                        continue
                    given.flat[-1] = bad
                    with pytest.raises(InvalidTask, match=f"task '{name}' must be"):
                        episodes.set_task({name: given})


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


def test_a_bad_argument_is_refused_in_one_line(case):
    for which, kwargs, message in BAD_ARGUMENTS:
        with case(which, kwargs):
            said = set(refusals(which, kwargs))
            assert len(said) == 1
            with pytest.raises(InvalidTask, match=message):
                make_family(which, **kwargs)
            assert "\n" not in said.pop()


def test_arguments_of_every_family_are_checked(env_id, case):
    for kwargs, message in BAD_FOR_ALL:
        with case(kwargs):
            for said in refusals(env_id, kwargs):
                assert message in said
                assert "\n" not in said


def test_an_unknown_id_is_refused_with_the_nearest_and_where_all_are_listed(case):
    """There are too many to list; each is found by a name that lacks a letter."""
    for env_id in FAMILIES:
        typo = env_id[:-4] + env_id[-3:]
        with case(typo), pytest.raises(InvalidTask) as caught:
            make_episodes(typo)
        assert str(caught.value).startswith(f"unknown environment '{typo}'; did you mean '")
        assert f"'{env_id}'" in str(caught.value)
        assert str(caught.value).endswith(f"`metalocus list` shows all {len(FAMILIES)}")


def test_an_unknown_render_mode_is_refused(case):
    for mode in ("human", "text", 3, np.array(["ansi"])):
        for form in (SingleEnv, BatchEnv, BatchVecEnv):
            with case(mode, form), pytest.raises(InvalidTask, match="render_mode must be"):
                form(BANDIT, render_mode=mode)


def test_a_bad_number_of_rows_is_refused(case):
    for n in (0, -1, 1.5, None, True, 2**20 + 1, 10**9, 10**22, 1e22, 2**63, 10**5000):
        for make in (gym.make_vec, BatchVecEnv):
            with case(type(n), make), pytest.raises(InvalidTask, match="num_envs must be"):
                make(BANDIT, n)


def test_a_flag_is_true_or_false(case):
    for make in (gym.make, gym.make_vec, BatchVecEnv):
        for bad in (1, "yes", None, np.array([True])):
            with case(make, bad), pytest.raises(InvalidTask, match="reveal must be True or False"):
                make(BANDIT, reveal=bad)
        env = make(BANDIT, reveal=np.True_)
        assert getattr(env, "unwrapped", env).reveal is True


def test_disabled_autoreset_is_refused(case):
    for mode in ("Disabled", gym.vector.AutoresetMode.DISABLED, "sometimes", None, ["NextStep"]):
        with case(mode), pytest.raises(InvalidTask, match="NEXT_STEP or SAME_STEP"):
            gym.make_vec(BANDIT, 2, autoreset_mode=mode)


BAD_ACTIONS = [
    *(-1, 2, 0.5, 1.0, "left", None, [0], float("nan"), 10**30, {}, 1j),
    *(np.float64(1.0), np.True_, np.array([1]), np.array([0, 1]), np.int64(-1), np.uint8(200)),
]


def test_a_bad_action_is_refused_and_plays_nothing(case):
    env = gym.make(BANDIT).unwrapped
    env.reset(seed=0)
    for action in BAD_ACTIONS:
        with case(action):
            assert not env.action_space.contains(action)
            with pytest.raises(InvalidTask, match="action must be in Discrete") as caught:
                env.step(action)
            assert "\n" not in str(caught.value)
            assert env.episodes.t.tolist() == [0]


def test_every_action_that_the_space_contains_is_played_as_the_same_number(env_id, brief, case):
    """Also True, which Gymnasium counts as 1, and types too narrow for an observation's places."""
    kwargs = brief(env_id)
    plain, other = (gym.make(env_id, **kwargs).unwrapped for _ in range(2))
    kinds = [bool, np.array, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64]
    for kind in kinds:
        with case(kind):
            action = kind(1)
            assert other.action_space.contains(action)
            assert plain.reset(seed=3)[0].tolist() == other.reset(seed=3)[0].tolist()
            ours, theirs = plain.step(1), other.step(action)
            assert ours[0].tolist() == theirs[0].tolist()
            assert ours[1:] == theirs[1:]


BAD_BATCHES = [
    [0, 1, 2],
    [0, 1, -1],
    [0, 1],
    0,
    True,
    None,
    [[0], [1], [0]],
    [[0], [1, 0], [0]],
    [0.0, 1.0, 0.0],
    [True, False, True],
    ["a", "b", "c"],
    [None] * 3,
    [0, 1, 10**30],
    np.array([0, 0, -1], dtype=np.int8),
    np.ones(3, dtype=bool),
    np.zeros((3, 1), dtype=int),
    np.arange(400),
]


def test_bad_actions_of_a_batch_are_refused_and_play_nothing(case):
    for env in (gym.make_vec(BANDIT, 3), BatchVecEnv(BANDIT, 3, seed=0)):
        env.reset()
        for actions in BAD_BATCHES:
            message = "actions must be 3 whole numbers from 0 to 1"
            with case(type(env), actions), pytest.raises(InvalidTask, match=message) as it:
                env.step(actions)
            assert "\n" not in str(it.value)
            assert env.episodes.t.tolist() == [0, 0, 0]


WHOLE = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]


def test_actions_of_every_whole_type_are_played_as_the_same_numbers(case):
    """Also where a place in the observation is beyond the type: 300 numbers of stimulus."""
    kwargs = {"n_features": 300, "n_arms": 3, "horizon": 4}
    for make in (gym.make_vec, BatchVecEnv):
        plain = make("metalocus/LinearBandit-v0", 3, **kwargs)
        plain.reset() if make is BatchVecEnv else plain.reset(seed=0)
        for kind in (list, tuple, *WHOLE):
            with case(make, kind):
                other = pickle.loads(pickle.dumps(plain))
                same = pickle.loads(pickle.dumps(plain))
                given = kind([0, 2, 1]) if kind in (list, tuple) else np.array([0, 2, 1], kind)
                ours, theirs = same.step(np.array([0, 2, 1])), other.step(given)
                assert ours[0].tolist() == theirs[0].tolist()
                assert ours[1].tolist() == theirs[1].tolist()
                assert theirs[0][:, 300:303].tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]


def test_a_bad_mask_is_refused(case):
    env = gym.make_vec(BANDIT, 3)
    env.reset(seed=0)
    ones = np.array([1, 0, 0])
    for mask in (
        [True],
        ones,
        np.zeros(3, bool),
        np.ones((3, 1), bool),
        "all",
        [[True], [True, 0]],
    ):
        with case(mask), pytest.raises(InvalidTask, match="reset_mask must be 3 booleans"):
            env.reset(options={"reset_mask": mask})


def test_unknown_options_are_refused(case):
    for make in (gym.make, gym.make_vec):
        env = make(BANDIT).unwrapped
        for options, message in (
            ({"tsak": {}}, "options has no 'tsak'; choose from task"),
            ({"means": [0.5, 0.5]}, "options has no 'means'"),
            ([], "options must be a dictionary"),
            ("task", "options must be a dictionary"),
        ):
            with case(make, options), pytest.raises(InvalidTask, match=message):
                env.reset(seed=0, options=options)
    env = BatchVecEnv(BANDIT, 2)
    for options, message in (
        ({"tsak": {}}, "options has no 'tsak'"),
        ([{}], "options must be 2 dictionaries, got 1"),
        ([{}, {}, {"task": {}}], "options must be 2 dictionaries, got 3"),
        ([{}, 5], "options must be a dictionary"),
    ):
        env.set_options(options)
        with case(options), pytest.raises(InvalidTask, match=message):
            env.reset()


BAD_SEEDS = [-1, np.int64(-1), True, np.True_, 0.0, 1.5, float("nan"), "1", np.array(1)]


def test_a_bad_seed_is_refused_in_one_line(case):
    single, vector, batch = gym.make(BANDIT).unwrapped, gym.make_vec(BANDIT, 2), BatchVecEnv(BANDIT)
    for seed in BAD_SEEDS:
        calls = (
            lambda seed=seed: single.reset(seed=seed),
            lambda seed=seed: vector.reset(seed=seed),
            lambda seed=seed: vector.reset(seed=[0, seed]),
            lambda seed=seed: batch.seed(seed),
            lambda seed=seed: BatchVecEnv(BANDIT, seed=seed),
            lambda seed=seed: seed_keys(seed, 2),
            lambda seed=seed: make_episodes(BANDIT, task_seed=seed),
        )
        for i, call in enumerate(calls):
            with case(seed, i):
                with pytest.raises(InvalidTask, match="seed must be a whole number") as caught:
                    call()
                assert "\n" not in str(caught.value)


def test_seeds_of_any_size_and_of_numpys_types_are_python_integers(case):
    """Row i is seeded with seed + i, also where that is beyond the type of the seed."""
    for seed in (
        np.int8(127),
        np.uint8(255),
        np.int64(2**63 - 1),
        np.uint64(2**64 - 1),
        2**64,
        2**200,
    ):
        with case(seed):
            expected = [first_key(np.random.default_rng(int(seed) + i)) for i in range(2)]
            single, vector = gym.make(BANDIT).unwrapped, gym.make_vec(BANDIT, 2)
            batch = BatchVecEnv(BANDIT, 2, seed=seed)
            single.reset(seed=seed)
            vector.reset(seed=seed)
            assert single.episodes.keys.tolist() == expected[:1]
            assert vector.episodes.keys.tolist() == expected
            assert batch.episodes.keys.tolist() == expected
            assert batch.seed(seed) == [int(seed), int(seed) + 1]
            batch.reset()
            assert batch.episodes.keys.tolist() == expected
            vector.reset(seed=[seed, None])
            assert vector.episodes.keys.tolist() == expected
            vector.reset(seed=np.array([5, 6]))
            assert vector.episodes.keys.tolist() == seed_keys(5, 2).tolist()
            one, other = (make_episodes(BANDIT, n_tasks=1, task_seed=s) for s in (seed, int(seed)))
            assert one.latents["means"].tolist() == other.latents["means"].tolist()


def test_a_bad_list_of_seeds_is_refused():
    env = gym.make_vec(BANDIT, 3)
    for seeds in ([1, 2], np.arange(4), ()):
        with pytest.raises(InvalidTask, match="seed must be 3 seeds"):
            env.reset(seed=seeds)


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
