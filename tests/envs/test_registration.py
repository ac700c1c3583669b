"""Gymnasium and SB3 accept every environment in every configuration, and find it by its id."""

import inspect
import json
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env as check_gymnasium
from stable_baselines3.common.env_checker import check_env as check_sb3

from metalocus.envs.layout import PARTS
from metalocus.envs.registry import FAMILIES
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.envs.single import SingleEnv
from metalocus.envs.vector import BatchEnv

SECTIONS = (
    "Description",
    "Action Space",
    "Observation Space",
    "Starting State",
    "Rewards",
    "Episode End",
    "Information",
    "Arguments",
    "References",
    "Version History",
)


def test_both_checkers_pass_without_a_warning(configs, case):
    for env_id, kwargs in configs:
        with case(env_id, kwargs):
            env = gym.make(env_id, **kwargs).unwrapped
            check_gymnasium(env)
            check_sb3(env)


@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_both_checkers_pass_with_a_render_mode(env_id, mode):
    env = gym.make(env_id, render_mode=mode).unwrapped
    check_gymnasium(env)
    check_sb3(env)


def test_the_passive_checker_finds_nothing_in_a_whole_episode(env_id, brief):
    env = gym.make(env_id, reveal=True, **brief(env_id))
    env.action_space.seed(0)
    env.reset(seed=0)
    done = False
    while not done:
        done = env.step(env.action_space.sample())[2]


def test_make_gives_the_single_environment_and_make_vec_the_native_one(env_id):
    assert type(gym.make(env_id).unwrapped) is SingleEnv
    vector = gym.make_vec(env_id, num_envs=3)
    assert type(vector) is BatchEnv
    assert vector.num_envs == 3
    assert vector.spec.id == env_id
    assert vector.metadata["autoreset_mode"] is gym.vector.AutoresetMode.NEXT_STEP


def test_all_forms_have_the_same_spaces(configs, case):
    for env_id, kwargs in configs:
        with case(env_id, kwargs):
            single = gym.make(env_id, **kwargs)
            vector = gym.make_vec(env_id, num_envs=3, **kwargs)
            batch = BatchVecEnv(env_id, 3, **kwargs)
            assert (
                vector.single_observation_space
                == single.observation_space
                == batch.observation_space
            )
            assert vector.single_action_space == single.action_space == batch.action_space
            assert vector.observation_space.shape == (3, *single.observation_space.shape)
            assert vector.action_space.shape == (3,)


def test_the_spec_survives_json(configs, case):
    for env_id, kwargs in configs:
        with case(env_id, kwargs):
            env = gym.make(env_id, **kwargs)
            copy = gym.make(EnvSpec.from_json(env.spec.to_json()))
            assert copy.spec.id == env_id
            for one in (env, copy):
                one.action_space.seed(1)
            assert env.reset(seed=5)[0].tolist() == copy.reset(seed=5)[0].tolist()
            for _ in range(min(env.unwrapped.episodes.family.horizon, 8)):
                action = env.action_space.sample()
                before, after = env.step(action), copy.step(action)
                assert before[0].tolist() == after[0].tolist()
                assert before[1:] == after[1:]


def test_an_id_with_its_module_needs_no_import():
    script = """
import sys
import gymnasium
env = gymnasium.make("metalocus.envs:metalocus/BernoulliBandit-v0", n_arms=3)
observation, info = env.reset(seed=3)
heavy = [name for name in ("torch", "stable_baselines3", "scipy") if name in sys.modules]
import json
print(json.dumps([observation.tolist(), env.spec.id, info, heavy]))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    first = [0.0, 0.0, 0.0, 0.0, 1.0]
    assert json.loads(run.stdout) == [first, "metalocus/BernoulliBandit-v0", {}, []]


def test_ids_and_class_attributes(env_id):
    family = FAMILIES[env_id]
    namespace, name = env_id.split("/")
    assert (namespace, name) == ("metalocus", family.name)
    assert name.rsplit("-v", 1)[1].isdigit()
    assert family.separates
    assert "\n" not in family.separates
    assert list(FAMILIES) == sorted(FAMILIES)


def test_docstrings_have_the_field_standard_sections_in_order(env_id):
    text = inspect.getdoc(FAMILIES[env_id])
    found = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert found == list(SECTIONS)


def test_docstrings_name_every_argument(env_id):
    family = FAMILIES[env_id]
    arguments = inspect.getdoc(family).split("## Arguments")[1].split("##")[0]
    for name in inspect.signature(family).parameters:
        assert f"``{name}``" in arguments


def test_every_argument_has_a_default(env_id):
    for parameter in inspect.signature(FAMILIES[env_id]).parameters.values():
        assert parameter.default is not inspect.Parameter.empty


def test_observations_and_rewards_stay_inside_their_bounds(examples, case):
    for env_id, kwargs in examples:
        with case(env_id, kwargs):
            vector = gym.make_vec(env_id, num_envs=8, observe=PARTS, **kwargs)
            family = vector.episodes.family
            rng = np.random.default_rng(0)
            observation, _ = vector.reset(seed=0)
            for _ in range(family.horizon + 2):
                assert vector.observation_space.contains(observation)
                observation, reward, *_ = vector.step(rng.integers(family.n_arms, size=8))
                assert reward.min() >= min(family.reward_range[0], 0)
                assert reward.max() <= max(family.reward_range[1], 0)
