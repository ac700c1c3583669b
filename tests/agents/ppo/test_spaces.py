"""The environment receives actions that its space contains, in its shape, type and bounds."""

import re

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv

from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.envs import InvalidTask
from metalocus.envs.sb3 import BatchVecEnv


class Takes(gym.Env):
    """Keeps what it is given; observations are noise."""

    observation_space = spaces.Box(-1, 1, (2,), np.float32)

    def __init__(self, actions, taken):
        self.action_space, self.taken = actions, taken

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.taken.append(np.array(action))
        end = self.np_random.random() < 0.3
        return self.np_random.uniform(-1, 1, 2).astype(np.float32), 1.0, end, False, {}


def played(space, n_envs, spread=0.0):
    """All actions that were given to the environment in training and evaluation, and a model."""
    taken = []
    env = DummyVecEnv([lambda: Takes(space, taken)] * n_envs)
    model = SequencePPO(
        "SequencePolicy",
        env,
        n_steps=4,
        seed=0,
        policy_kwargs={"cell": "mlp", "net_arch": [], "log_std_init": spread},
    )
    model.learn(4 * n_envs + 1)
    trained = len(taken)
    evaluate_policy(model, env, 1, deterministic=False, warn=False)
    assert trained == 8 * n_envs
    assert len(taken) > trained
    return taken, model


def fits(space, action):
    """Whether the space contains an action as it is, without a cast."""
    same = action.shape == space.shape and action.dtype == space.dtype
    return same and bool(space.contains(action))


def check(space, n_envs, spread=0.0):
    taken, model = played(space, n_envs, spread)
    assert all(fits(space, action) for action in taken)
    obs = np.zeros((3, 2), np.float32)
    many, one = model.predict(obs)[0], model.predict(obs[0])[0]
    assert many.shape == (3, *space.shape)
    assert all(fits(space, np.asarray(action)) for action in (*many, one))
    return np.stack(taken)


SHAPES = [(3, 1), (1, 4), (2, 3), (), (1,), (2,), (2, 1, 2)]


@st.composite
def boxes(draw):
    """Boxes with bounds by entry, some of width 0, of several types."""
    shape = draw(st.sampled_from(SHAPES))
    dtype = draw(st.sampled_from([np.float32, np.float64, np.float16, np.int64, np.uint8]))
    whole = np.issubdtype(dtype, np.integer)
    lowest = 0 if dtype is np.uint8 else -50
    low = draw(arrays.arrays(np.int64, shape, elements=st.integers(lowest, 50)))
    width = draw(arrays.arrays(np.int64, shape, elements=st.integers(0, 40)))
    part = 1 if whole else 8
    return spaces.Box((low / part).astype(dtype), ((low + width) / part).astype(dtype), dtype=dtype)


@settings(max_examples=25, deadline=None)
@given(space=boxes(), n_envs=st.sampled_from([1, 3]), spread=st.sampled_from([0.0, 4.0]))
def test_boxes_of_any_shape_type_and_bounds(space, n_envs, spread):
    check(space, n_envs, spread)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_entry_is_clipped_by_its_own_bounds(shape):
    """Actions drawn far beyond all bounds are at one of each entry's two."""
    size = int(np.prod(shape))
    low = -np.arange(1, size + 1, dtype=np.float32).reshape(shape)
    space = spaces.Box(low, (-2 * low).astype(np.float32))
    taken = check(space, 3, spread=12.0)
    at_bound = np.isin(taken, [space.low, space.high]).mean()
    assert at_bound > 0.9
    for reached in (taken.min(axis=0) == space.low, taken.max(axis=0) == space.high):
        assert np.all(reached)


@settings(max_examples=20, deadline=None)
@given(
    space=st.one_of(
        st.builds(spaces.Discrete, st.integers(1, 4), start=st.integers(-3, 9)),
        st.builds(spaces.MultiDiscrete, st.lists(st.integers(1, 4), min_size=1, max_size=3)),
        st.builds(spaces.MultiBinary, st.integers(1, 4)),
    ),
    n_envs=st.sampled_from([1, 3]),
)
def test_discrete_spaces(space, n_envs):
    check(space, n_envs)


def test_spaces_of_several_discrete_axes_are_refused_in_one_line():
    for space in (spaces.MultiDiscrete([[2, 3], [2, 2]]), spaces.MultiBinary((2, 2))):
        env = make_vec_env(lambda space=space: Takes(space, []), 1)
        with pytest.raises(InvalidTask, match="actions must be flattened to one axis") as raised:
            SequencePPO("SequencePolicy", env, n_steps=4)
        assert len(str(raised.value).splitlines()) == 1


def test_a_gymnasium_vector_environment_is_refused_with_the_call_that_makes_the_right_one():
    """The call that the message names gives an environment that trains."""
    ours = gym.make_vec("metalocus/BernoulliBandit-v0", num_envs=3)
    other = gym.make_vec("CartPole-v1", num_envs=2, vectorization_mode="sync")
    called = {
        "metalocus.envs.sb3.BatchVecEnv('metalocus/BernoulliBandit-v0', 3)": (ours, BatchVecEnv),
        "stable_baselines3.common.env_util.make_vec_env('CartPole-v1', 2)": (other, make_vec_env),
    }
    for call, (env, make) in called.items():
        with pytest.raises(InvalidTask, match=re.escape(f"give {call} instead")):
            SequencePPO("SequencePolicy", env)
        right = make(env.spec.id, env.num_envs)
        model = SequencePPO("SequencePolicy", right, n_steps=4).learn(4)
        with pytest.raises(InvalidTask, match="Gymnasium vector environment"):
            model.set_env(env)
