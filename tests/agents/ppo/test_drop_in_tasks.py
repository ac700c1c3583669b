"""Users' own tasks, wrappers, other observations and actions; all that SB3 logs on them."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.distributions import make_proba_distribution
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import KVWriter, Logger
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    SubprocVecEnv,
    VecCheckNan,
    VecFrameStack,
    VecMonitor,
    VecNormalize,
)

from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.envs import InvalidTask
from metalocus.envs.sb3 import BatchVecEnv

N, T = 4, 8
SMALL = {
    "policy_kwargs": {"cell": "lstm", "cell_kwargs": {"hidden_size": 8}},
    "n_epochs": 2,
    "seed": 1,
}
BANDIT = {"n_arms": 2, "horizon": T}


def bandit(n=N):
    return BatchVecEnv("metalocus/BernoulliBandit-v0", n, seed=3, **BANDIT)


def build(env=None, **kwargs):
    return SequencePPO("SequencePolicy", bandit() if env is None else env, **(SMALL | kwargs))


class Own(gym.Env):
    """A user's task: random observations, episodes of random length, cut off now and then."""

    def __init__(self, observations=None, actions=None):
        self.observation_space = observations or spaces.Box(-1, 1, (3,), np.float32)
        self.action_space = actions or spaces.Discrete(3)
        self.taken = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        end = self.np_random.random()
        return self.observation_space.sample(), 1.0, end < 0.2, 0.2 <= end < 0.3, {}


class Keys(KVWriter):
    """Collects all that is logged."""

    def __init__(self):
        self.seen = {}

    def write(self, values, excluded, step=0):
        self.seen |= values

    def close(self):
        """Nothing to close."""


def test_all_of_sb3s_logger_keys_are_there():
    ours, theirs, given = Keys(), Keys(), {"n_steps": 16, "n_epochs": 1}
    for model, keys in (
        (build(make_vec_env(Own, N, seed=1), **given), ours),
        (RecurrentPPO("MlpLstmPolicy", make_vec_env(Own, N, seed=1), **given), theirs),
    ):
        model.set_logger(Logger(None, [keys]))
        model.learn(2 * 16 * N, log_interval=1)
    assert theirs.seen.keys() <= ours.seen.keys()
    expected = {"rollout/ep_rew_mean", "train/approx_kl", "time/fps", "time/total_timesteps"}
    assert expected <= ours.seen.keys()
    assert ours.seen["rollout/ep_rew_mean"] == ours.seen["rollout/ep_len_mean"]  # a reward a step
    assert ours.seen["time/total_timesteps"] == 2 * 16 * N


VEC_ENVS = {
    "ours": bandit,
    "single": lambda: make_vec_env("metalocus/BernoulliBandit-v0", N, seed=3, env_kwargs=BANDIT),
    "own": lambda: make_vec_env(Own, N, seed=3),
}
WRAPPERS = {
    "monitor": VecMonitor,
    "normalize": lambda env: VecNormalize(env, gamma=0.9),
    "check_nan": lambda env: VecCheckNan(env, raise_exception=True),
    "stack": lambda env: VecFrameStack(env, 3),
    "normalize, stack, monitor": lambda env: VecMonitor(VecFrameStack(VecNormalize(env), 2)),
}


@pytest.mark.filterwarnings("ignore:The environment is already wrapped with a `Monitor` wrapper")
@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("env", VEC_ENVS)
def test_wrappers_of_vector_environments(env, wrapper, tmp_path):
    given = {"n_steps": None if env == "ours" else 16, "n_epochs": 1}
    model = build(WRAPPERS[wrapper](VEC_ENVS[env]()), **given)
    assert model.n_steps == (T if env == "ours" else 16)
    model.learn(2 * model.n_steps * N)
    assert len(model.ep_info_buffer) > 0
    if env != "own":
        assert all(episode["l"] == T for episode in model.ep_info_buffer)
    assert (model.get_vec_normalize_env() is not None) == ("normalize" in wrapper)
    model.save(tmp_path / "model")
    again = SequencePPO.load(tmp_path / "model", WRAPPERS[wrapper](VEC_ENVS[env]()))
    again.learn(again.n_steps * N)
    evaluate_policy(again, again.get_env(), 2, warn=False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"lr": 4e-3, "eps": 1e-5, "fused": True}),
        ({"optimizer_kwargs": {"weight_decay": 0.1}}, {"weight_decay": 0.1, "eps": 1e-5}),
        ({"optimizer_class": torch.optim.AdamW}, {"eps": 1e-5}),
        ({"optimizer_class": torch.optim.SGD, "optimizer_kwargs": {"momentum": 0.9}}, {"lr": 4e-3}),
        ({"optimizer_class": torch.optim.RMSprop}, {"eps": 1e-8}),
    ],
)
def test_other_optimizers(given, expected):
    model = build(policy_kwargs={"cell": "lstm", **given})
    group = model.policy.optimizer.param_groups[0]
    assert {name: group[name] for name in expected} == expected
    assert type(model.policy.optimizer) is given.get("optimizer_class", torch.optim.Adam)
    model.learn(2 * T * N)


def test_horizons_are_found_through_wrappers_and_processes():
    assert build(VEC_ENVS["single"]()).n_steps == T
    assert build(VecNormalize(bandit())).n_steps == T
    assert build(DummyVecEnv([Own])).n_steps == 128


def test_a_foreign_attribute_named_as_one_of_ours_does_no_harm():
    """Whatever it is, and even if it cannot leave its process."""

    class Fails(Own):
        @property
        def episodes(self):
            raise RuntimeError("not before the first reset")

    for value in (7, "text", [], None, object(), iter([])):
        env = Own()
        env.episodes, env.layout, env.horizon = value, value, value
        model = build(DummyVecEnv([lambda env=env: env]), n_steps=None)
        assert model.n_steps == 128
    assert build(DummyVecEnv([Fails])).n_steps == 128


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_foreign_attributes_that_cannot_leave_their_process_do_no_harm():
    def make():
        env = Own()
        env.episodes = (i for i in range(3))
        return env

    env = SubprocVecEnv([make], start_method="fork")
    try:
        assert build(env).n_steps == 128
        env.reset()
    finally:
        env.close()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_environments_in_processes_of_their_own():
    env = SubprocVecEnv([Own] * 2, start_method="fork")
    try:
        model = build(env)
        assert model.n_steps == 128
        model.learn(2 * 128)
    finally:
        env.close()


ACTIONS = {
    "multi discrete": spaces.MultiDiscrete([3, 2]),
    "multi binary": spaces.MultiBinary(3),
    "box": spaces.Box(-0.5, 2.0, (2,), np.float32),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_other_actions(name):
    env = make_vec_env(lambda: Own(actions=ACTIONS[name]), N, seed=1)
    model = build(env, n_steps=16, learning_rate=1e-3, gamma=0.9, gae_lambda=0.9, ent_coef=0.0)
    model.learn(2 * 16 * N)
    obs = np.zeros((N, 3), dtype=np.float32)
    assert all(ACTIONS[name].contains(action) for action in model.predict(obs)[0])
    assert ACTIONS[name].contains(model.predict(obs[0])[0])
    # what is recorded is SB3's distribution of what was done
    _, callback = model._setup_learn(10_000, None, reset_num_timesteps=False)
    callback.on_training_start({}, {})
    model.collect_rollouts(model.env, callback, model.rollout_buffer, 16)
    (batch,) = model.rollout_buffer.sequences(N)
    with torch.no_grad():
        actor, _, _ = model.policy.features(batch.obs, batch.carry, batch.starts)
        latent = model.policy.mlp_extractor.forward_actor(actor)
        theirs = make_proba_distribution(ACTIONS[name])
        parameters = [model.policy.action_net(latent)]
        if name == "box":
            parameters.append(model.policy.log_std)
        theirs.proba_distribution(*parameters)
        expected = theirs.log_prob(batch.actions.flatten(0, 1))
    torch.testing.assert_close(batch.log_probs.flatten(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(5),
        spaces.MultiDiscrete([2, 3]),
        spaces.MultiBinary(4),
        spaces.Box(-1, 1, (2, 3), np.float32),
        spaces.Box(0, 1, (1,), np.float64),
    ],
    ids=str,
)
def test_other_observations(space):
    env = make_vec_env(lambda: Own(observations=space), N, seed=1)
    model = build(env, n_steps=16)
    model.learn(2 * 16 * N)
    action, _ = model.predict(env.reset())
    assert action.shape == (N,)
    assert model.predict(space.sample())[0].shape == ()


def test_what_is_not_supported_is_said_in_one_line():
    space = spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Discrete(2)})
    with pytest.raises(InvalidTask, match="Dict observations must be flattened"):
        build(make_vec_env(lambda: Own(observations=space), 1))
    with pytest.raises(InvalidTask, match="use_sde is not supported"):
        build(make_vec_env(lambda: Own(actions=ACTIONS["box"]), 1), use_sde=True)
    with pytest.raises(AssertionError, match="only supports"):
        build(make_vec_env(lambda: Own(actions=spaces.Dict(a=spaces.Discrete(2))), 1))
