"""Environments for the engine and a small trained model with its zip, made once."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.env_util import make_vec_env

from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.envs.sb3 import BatchVecEnv


class Lengths(gym.Env):
    """Episodes of random length, so that starts stand anywhere; truncated now and then."""

    def __init__(self, continuous=False):
        self.observation_space = spaces.Box(-5, 5, (3,), np.float32)
        self.action_space = (
            spaces.Box(-1, 1, (2,), np.float32) if continuous else spaces.Discrete(3)
        )

    def _draw(self):
        return self.np_random.standard_normal(3).clip(-5, 5).astype(np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._draw(), {}

    def step(self, action):
        reward = float(np.sum(action)) * 0.3 + self.np_random.normal()
        end = self.np_random.random()
        return self._draw(), reward, end < 0.2, 0.2 <= end < 0.3, {}


@pytest.fixture
def envs():
    """Makes environments with episodes of random length."""

    def make(n_envs, continuous=False, wrap=lambda env: env):
        return make_vec_env(lambda: wrap(Lengths(continuous)), n_envs, seed=4)

    return make


@pytest.fixture(scope="session")
def bandits():
    """Makes environments of a bandit with episodes of five trials."""

    def make(n_envs=4, n_arms=2):
        return BatchVecEnv("metalocus/BernoulliBandit-v0", n_envs, n_arms=n_arms, horizon=5)

    return make


@pytest.fixture(scope="session")
def trained(bandits):
    """A small model after two rollouts on the bandit, not to be changed."""
    policy = {"cell": "lstm", "cell_kwargs": {"hidden_size": 8}}
    model = SequencePPO("SequencePolicy", bandits(), policy_kwargs=policy, seed=1)
    return model.learn(2 * 4 * 5)


@pytest.fixture(scope="session")
def file(trained, tmp_path_factory):
    """Its zip, not to be changed."""
    path = tmp_path_factory.mktemp("saved") / "model.zip"
    trained.save(path)
    return path
