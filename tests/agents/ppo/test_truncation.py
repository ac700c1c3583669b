"""Episodes that are cut off go on by the value of what comes after."""

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnvWrapper

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


def test_where_the_last_observation_is_not_given_nothing_is_added(envs):
    """As in SB3; also where it is None, or nothing is said of a time limit."""
    model = SequencePPO("SequencePolicy", envs(N), policy_kwargs={"cell": "lstm"}, n_steps=12)
    cut = {"TimeLimit.truncated": True}
    last = np.zeros(3, dtype=np.float32)
    infos = [cut, cut | {"terminal_observation": None}, {}, {"terminal_observation": last}]
    infos += [cut | {"terminal_observation": last}] * 2
    carry = model.policy.initial_carry(N)
    given = model._truncation_bootstrap(np.array([True] * 5 + [False]), infos, carry)
    assert (given != 0).tolist() == [False] * 4 + [True, False]


class Silent(VecEnvWrapper):
    """Says that episodes were cut off, but not what came after."""

    def __init__(self, venv, absent):
        super().__init__(venv)
        self.absent = absent

    def reset(self):
        return self.venv.reset()

    def step_wait(self):
        obs, rewards, dones, infos = self.venv.step_wait()
        for info in infos:
            if self.absent and "terminal_observation" in info:
                info["terminal_observation"] = None
            else:
                info.pop("terminal_observation", None)
        return obs, rewards, dones, infos


def test_training_goes_on_without_last_observations():
    """Returns end where episodes do: they equal those of episodes that terminate."""
    for absent in (False, True):
        env = Silent(DummyVecEnv([Cut, Cut]), absent)
        kwargs = {"n_steps": 6, "gamma": 0.9, "gae_lambda": 1.0, "scale_rewards": False}
        model = SequencePPO("SequencePolicy", env, policy_kwargs={"cell": "mlp"}, **kwargs)
        model.learn(12)
        expected = np.array([27.1, 19.0, 10.0] * 2)[:, None] * np.ones(2)
        np.testing.assert_allclose(model.rollout_buffer.returns, expected, rtol=1e-5)


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
