"""What SB3's users do with a model, done with ours: evaluation, callbacks, learning in parts."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.callbacks import (
    BaseCallback,
    CheckpointCallback,
    EvalCallback,
    StopTrainingOnMaxEpisodes,
    StopTrainingOnRewardThreshold,
)
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.envs.sb3 import BatchVecEnv

N, T = 4, 8
SMALL = {"policy_kwargs": {"cell": "lstm", "cell_kwargs": {"hidden_size": 8}}, "seed": 1}
BANDIT = {"n_arms": 2, "horizon": T}
CONSTANT = {"learning_rate": 1e-3, "gamma": 0.9, "gae_lambda": 0.5, "ent_coef": 0.01}
CONSTANT = {"learning_rate": 1e-3, "gamma": 0.9, "gae_lambda": 0.5, "ent_coef": 0.01}


def bandit(n=N):
    return BatchVecEnv("metalocus/BernoulliBandit-v0", n, seed=3, **BANDIT)


def build(env=None, **kwargs):
    return SequencePPO("SequencePolicy", bandit() if env is None else env, **(SMALL | kwargs))


class Recall(gym.Env):
    """A bit is shown at first, nothing then, and at last the bit must be named."""

    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.bit, self.t = int(self.np_random.integers(2)), 0
        self.length = int(self.np_random.integers(2, 4))
        return np.array([2 * self.bit - 1, 0], dtype=np.float32), {}

    def step(self, action):
        self.t += 1
        end = self.t == self.length
        obs = np.array([0, self.t == self.length - 1], dtype=np.float32)
        return obs, float(end and action == self.bit), end, False, {}


@pytest.fixture(scope="module")
def recalls():
    """A model that has learned to recall."""
    env = make_vec_env(Recall, 32, seed=1)
    model = build(env, n_steps=16, learning_rate=2e-2, gamma=0.9, gae_lambda=0.9)
    return model.learn(20 * 16 * 32)


def by_hand(model, env, episodes, carried=True):
    """Mean return, one environment at a time, with all that SB3 documents of ``predict``."""
    returns = []
    obs, state, begun, total = env.reset(), None, np.ones(1, dtype=bool), 0.0
    while len(returns) < episodes:
        action, state = model.predict(obs, state if carried else None, begun, deterministic=True)
        obs, reward, begun, _ = env.step(action)
        total += float(reward[0])
        if begun[0]:
            returns.append(total)
            total = 0.0
    return returns


def test_evaluation_carries_the_state(recalls):
    def task():
        return make_vec_env(Recall, 1, seed=77)

    found, lengths = evaluate_policy(recalls, task(), 100, return_episode_rewards=True)
    assert found == by_hand(recalls, task(), 100)
    assert np.mean(found) > 0.95
    assert 2 in lengths
    assert 3 in lengths
    # without memory a fair bit is named right half the time: P(> 75 of 100) < 1e-7
    assert 25 < sum(by_hand(recalls, task(), 100, carried=False)) < 75


def test_evaluation_of_many_environments_at_once_agrees(recalls):
    mean, spread = evaluate_policy(recalls, make_vec_env(Recall, 5, seed=8), 100)
    assert mean > 0.95
    assert spread < 0.25


def test_predict_for_one_observation_or_many(recalls):
    many = np.array([[1, 0], [-1, 0], [1, 0]], dtype=np.float32)
    last = np.array([[0, 1]] * 3, dtype=np.float32)
    _, state = recalls.predict(many, deterministic=True)
    actions, _ = recalls.predict(last, state, deterministic=True)
    assert actions.tolist() == [1, 0, 1]
    for row, action in enumerate(actions):
        _, state = recalls.predict(many[row], episode_start=True, deterministic=True)
        one, _ = recalls.predict(last[row], state, episode_start=False, deterministic=True)
        assert one.shape == ()
        assert one == action
        assert recalls.action_space.contains(one)


def test_callbacks_evaluate_save_and_stop(tmp_path):
    model = build()
    stop = StopTrainingOnRewardThreshold(reward_threshold=-1.0)
    check = EvalCallback(
        bandit(2),
        callback_on_new_best=stop,
        eval_freq=3 * T,
        n_eval_episodes=4,
        best_model_save_path=str(tmp_path),
        log_path=str(tmp_path),
        verbose=0,
    )
    keep = CheckpointCallback(save_freq=T, save_path=str(tmp_path), name_prefix="at")
    model.learn(100 * N * T, callback=[keep, check])
    assert model.num_timesteps == 3 * T * N, "the first evaluation beats the threshold"
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"at_{i * T * N}_steps.zip" for i in (1, 2, 3)} | {
        "best_model.zip",
        "evaluations.npz",
    }
    best = SequencePPO.load(tmp_path / "best_model", bandit(2))
    obs = np.random.default_rng(0).random((3, 4)).astype(np.float32)
    np.testing.assert_array_equal(
        best.predict(obs, deterministic=True)[0], model.predict(obs, deterministic=True)[0]
    )


def test_episodes_are_counted_by_callbacks():
    model = build()
    model.learn(100 * N * T, callback=StopTrainingOnMaxEpisodes(max_episodes=2))
    assert model.num_timesteps == 2 * N * T


class Stop(BaseCallback):
    """Stops after so many calls, if a number is given; keeps what was seen."""

    def __init__(self, after=None):
        super().__init__()
        self.after, self.seen = after, []

    def _on_step(self):
        self.seen.append(self.locals["new_obs"].copy())
        return self.n_calls != self.after


def test_training_goes_on_where_a_callback_stopped_it():
    """The next observation and state are those after the step at which it was stopped."""
    model, stop = build(n_steps=50), Stop(after=T)
    model.learn(10_000, callback=stop)
    assert model._last_episode_starts.all(), "it was stopped at the end of an episode"
    np.testing.assert_array_equal(model._last_obs, stop.seen[-1])
    np.testing.assert_array_equal(model._last_obs, model.env.episodes.observation())


def test_learning_in_two_parts_plays_on():
    model, steps = build(**CONSTANT), Stop()
    env = model.get_env()
    model.learn(2 * N * T, callback=steps)
    episodes = env.episodes.number.copy()
    model.learn(2 * N * T, callback=steps, reset_num_timesteps=False)
    assert model.num_timesteps == 4 * N * T
    assert (env.episodes.number == episodes + 2).all(), "no episode is begun in vain"
    model.learn(N * T)
    assert model.num_timesteps == N * T


def test_two_parts_of_a_constant_schedule_equal_one():
    """Nothing is lost between two calls of ``learn``: rollouts are shorter than episodes."""
    whole = build(n_steps=5, **CONSTANT)
    whole.learn(4 * 5 * N)
    parts = build(n_steps=5, **CONSTANT)
    parts.learn(2 * 5 * N)
    parts.learn(2 * 5 * N, reset_num_timesteps=False)
    for one, other in zip(whole.policy.parameters(), parts.policy.parameters(), strict=True):
        assert torch.equal(one, other)


def first_values(model):
    """Values that the model records in its next rollout."""
    _, callback = model._setup_learn(10_000, None, reset_num_timesteps=False)
    callback.on_training_start({}, {})
    model.collect_rollouts(model.env, callback, model.rollout_buffer, model.n_steps)
    return model.rollout_buffer.values.copy(), model.rollout_buffer.episode_starts.copy()


def test_another_environment_begins_without_memory():
    played, fresh = build(n_steps=5, **CONSTANT), build(n_steps=5, **CONSTANT)
    played.learn(5 * N)  # in the middle of an episode
    fresh.policy.load_state_dict(played.policy.state_dict())
    assert not played._last_episode_starts.any()
    found = []
    for model in (played, fresh):
        model.set_env(bandit())
        torch.manual_seed(5)
        found.append(first_values(model))
    (values, starts), (expected, _) = found
    assert starts[0].all()
    np.testing.assert_array_equal(values[0], expected[0])
    np.testing.assert_array_equal(values, expected)
    with pytest.raises(AssertionError, match="number of environments"):
        played.set_env(bandit(N + 1))


@pytest.mark.filterwarnings("ignore::tqdm.TqdmExperimentalWarning")
def test_a_progress_bar_is_shown_by_what_is_installed(capfd):
    build().learn(N * T, progress_bar=True)
    assert f"{N * T}/{N * T}" in "".join(capfd.readouterr())
