"""Episodes that are cut off go on by the value of what comes after."""

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.vec_env import DummyVecEnv

from metalocus.agents.ppo.algorithm import SequencePPO

N = 6


def test_truncated_episodes_are_continued_by_the_value_of_their_last_observation(envs):
    model = SequencePPO(
        "SequencePolicy", envs(N), policy_kwargs={"cell": "lstm"}, n_steps=12, gamma=0.97
    )
    carry = {key: torch.randn_like(v) for key, v in model.policy.initial_carry(N).items()}
    last = np.full(3, 0.3, dtype=np.float32)
    infos = [{} for _ in range(N)]
    infos[1] = {"terminal_observation": last, "TimeLimit.truncated": True}
    infos[4] = {"terminal_observation": last, "TimeLimit.truncated": False}
    dones = np.isin(np.arange(N), [1, 4])
    with torch.no_grad():
        given = model._truncation_bootstrap(dones, infos, carry)
        row = {key: value[1:2] for key, value in carry.items()}
        value = model.policy.predict_values(torch.as_tensor(last)[None], row, torch.zeros(1))
    expected = np.zeros(N)
    expected[1] = 0.97 * value.item()
    np.testing.assert_allclose(given, expected, rtol=1e-6)


class Cut(gym.Env):
    """Ten for every step, and a time limit of three."""

    observation_space, action_space = gym.spaces.Box(0, 1, (1,)), gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = 3
        return np.ones(1, np.float32), {}

    def step(self, action):
        self.left -= 1
        return np.ones(1, np.float32), 10.0, False, self.left == 0, {}


def test_what_comes_after_a_time_limit_is_in_the_units_of_scaled_rewards():
    """Every observation is the same and nothing is remembered: one value for all of them."""
    env = DummyVecEnv([Cut, Cut])
    model = SequencePPO("SequencePolicy", env, policy_kwargs={"cell": "mlp"}, n_steps=7, seed=0)
    model.learn(28)
    _, callback = model._setup_learn(1, None)
    buffer = model.rollout_buffer
    model.collect_rollouts(model.env, callback, buffer, 7)
    cut, value = np.array([False, False, True] * 2 + [False]), buffer.values[0, 0]
    scaled, beyond = buffer.rewards[~cut], buffer.rewards[cut]
    assert 10 / scaled[0, 0] > 1.5, "the scale matters"
    np.testing.assert_allclose(scaled, scaled[0, 0], rtol=1e-6)
    np.testing.assert_allclose(beyond, scaled[0, 0] + model.gamma * value, rtol=1e-5)
