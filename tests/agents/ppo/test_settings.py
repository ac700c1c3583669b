"""What a callback sets takes effect, as in SB3: each setting by the number that is used."""

import copy
import pickle

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import ConstantSchedule, LinearSchedule

from metalocus.agents.ppo import algorithm
from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.sb3_zip import STORED
from metalocus.envs import InvalidTask
from metalocus.envs.sb3 import BatchVecEnv

N, T = 8, 5
START = {"learning_rate": 1e-3, "gamma": 0.9, "gae_lambda": 0.8, "ent_coef": 0.1}


def build(**kwargs):
    env = BatchVecEnv("metalocus/BernoulliBandit-v0", N, seed=2, n_arms=2, horizon=T)
    policy = {"cell": "mlp", "cell_kwargs": {"hidden_size": 4}, "action_values": False}
    kwargs = START | {"scale_rewards": False, "seed": 1} | kwargs
    return SequencePPO("SequencePolicy", env, policy_kwargs=policy, **kwargs)


class Sets(BaseCallback):
    """Sets something at the beginning of the second rollout."""

    def __init__(self, **settings):
        super().__init__()
        self.settings = settings

    def _on_step(self):
        return True

    def _on_rollout_start(self):
        if self.num_timesteps == N * T:
            for name, value in self.settings.items():
                setattr(self.model, name, value)


def trained(monkeypatch, **settings):
    """Losses' arguments and the like, of every minibatch of three updates, the first unchanged."""
    model, seen = build(), []
    losses, clip_grad = algorithm.ppo_losses, torch.nn.utils.clip_grad_norm_

    def watched_losses(now, batch, **kwargs):
        parts = losses(now, batch, **kwargs)
        seen.append({"rows": batch.starts.shape[1], "parts": parts, "update": updates[0]} | kwargs)
        return parts

    def watched_clip(parameters, max_norm):
        seen[-1] |= {"max_grad_norm": max_norm}
        return clip_grad(parameters, max_norm)

    updates, train, of_batch = [0], model.train, model.losses

    def watched_batch(batch):
        loss, terms = of_batch(batch)
        seen[-1] |= {"loss": loss.item(), "rate": model.policy.optimizer.param_groups[0]["lr"]}
        return loss, terms

    def watched_train():
        updates[0] += 1
        train()

    model.train, model.losses = watched_train, watched_batch
    monkeypatch.setattr(algorithm, "ppo_losses", watched_losses)
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", watched_clip)
    model.learn(3 * N * T, Sets(**settings))
    first = [each for each in seen if each["update"] == 1]
    later = [each for each in seen if each["update"] > 1]
    assert len(later) > 0
    return model, first, later


def weights_of_terms(each):
    """Coefficients of entropy and value that a loss is the weighted sum by."""
    parts = each["parts"]
    return each["loss"] - parts.policy.item(), parts.entropy.item(), parts.value.item()


def test_coefficients_of_the_loss(monkeypatch):
    _, first, later = trained(monkeypatch, ent_coef=0.7, vf_coef=0.3)
    for batches, entropy_coef, value_coef in ((first, 0.1, 0.5), (later, 0.7, 0.3)):
        for each in batches:
            rest, entropy, value = weights_of_terms(each)
            assert rest == pytest.approx(entropy_coef * entropy + value_coef * value, abs=1e-5)


@pytest.mark.parametrize(
    ("setting", "value", "used"),
    [
        ("clip_range", lambda _: 0.1, 0.1),
        ("clip_range", 0.3, 0.3),
        ("clip_range", ConstantSchedule(0.4), 0.4),
        ("clip_range_vf", lambda _: 0.1, 0.1),
        ("clip_range_vf", 0.3, 0.3),
        ("normalize_advantage", False, False),
        ("all_action_coef", 0.6, 0.6),
        ("max_grad_norm", 0.05, 0.05),
    ],
)
def test_arguments_of_the_losses_and_of_the_gradient(monkeypatch, setting, value, used):
    before = getattr(build(), setting)
    before = before(1.0) if callable(before) else before
    _, first, later = trained(monkeypatch, **{setting: value})
    assert {each[setting] for each in first} == {before} != {used}
    assert {each[setting] for each in later} == {used}


@pytest.mark.parametrize("name", ["learning_rate", "lr_schedule"])
@pytest.mark.parametrize("value", [2e-3, lambda _: 2e-3], ids=["number", "function"])
def test_the_learning_rate(monkeypatch, name, value):
    _, first, later = trained(monkeypatch, **{name: value})
    assert {each["rate"] for each in first} == {1e-3}
    assert {each["rate"] for each in later} == {2e-3}


def test_a_line_is_a_schedule_from_its_number_to_nothing():
    for name, holder in (
        ("learning_rate", "lr_schedule"),
        ("gamma", "gamma_schedule"),
        ("gae_lambda", "gae_lambda_schedule"),
        ("ent_coef", "ent_coef_schedule"),
        ("clip_range", "clip_range"),
    ):
        held = getattr(build(**{name: "lin_.5"}), holder)
        assert [held(left) for left in (1.0, 0.5, 0.25, 0.0)] == [0.5, 0.25, 0.125, 0.0]
    for wrong in ("lin_", "lin_fast", "lin_-1", "lin_nan", "line"):
        with pytest.raises(InvalidTask, match="learning_rate must be"):
            build(learning_rate=wrong)


def test_epochs_and_minibatches(monkeypatch):
    for settings, first_rows, later_rows in (
        ({"n_epochs": 3}, [1] * 8, [1] * 48),
        ({"batch_size": 4 * T}, [1] * 8, [4] * 4),
        ({"n_minibatches": 4}, [1] * 8, [2] * 8),
    ):
        _, first, later = trained(monkeypatch, **settings)
        assert [each["rows"] for each in first] == first_rows
        assert [each["rows"] for each in later] == later_rows


def test_the_greatest_divergence(monkeypatch):
    """Nothing that moves may go on with 0: the first minibatch of each update alone is stepped."""
    _, first, later = trained(monkeypatch, target_kl=1e-12)
    assert len(first) == 8
    assert ["max_grad_norm" in each for each in later] == [True, False] * 2


def test_discount_and_lambda():
    """The advantages are those of the recursion of Schulman et al. 2016, equation 16."""
    for settings in ({"gamma": 0.5}, {"gae_lambda": 0.3}, {"gamma": lambda left: 0.4}):
        model = build(center_advantages=False)
        model.learn(2 * N * T, Sets(**settings))
        gamma, gae_lambda = model.gamma, model.gae_lambda
        assert (gamma, gae_lambda) != (0.9, 0.8)
        buffer = model.rollout_buffer
        rewards, values = buffer.rewards, buffer.values  # whole episodes: no value after the last
        expected = np.zeros((T + 1, N))
        for t in reversed(range(T)):
            after = values[t + 1] if t < T - 1 else 0.0
            delta = rewards[t] + gamma * after - values[t]
            expected[t] = delta + gamma * gae_lambda * expected[t + 1]
        np.testing.assert_allclose(buffer.advantages, expected[:-1], atol=1e-5)


def test_the_scale_of_rewards_follows_the_discount():
    model = build(scale_rewards=True, gamma=0.0)
    model.learn(N * T)
    assert model.reward_scale.running.tolist() == pytest.approx(np.ravel(_last_rewards(model)))
    model.scale_rewards = False
    model.learn(N * T, reset_num_timesteps=False)
    assert set(np.unique(model.rollout_buffer.rewards)) <= {0.0, 1.0}, "no more scaled"
    model.scale_rewards = True
    model.learn(N * T, reset_num_timesteps=False)
    assert not set(np.unique(model.rollout_buffer.rewards)) <= {0.0, 1.0}


def _last_rewards(model):
    """Of the last step, in the environment's units: with no discount, the running returns."""
    scale = np.sqrt(model.reward_scale.sum_squares / model.reward_scale.count)
    return model.rollout_buffer.rewards[-1] * scale


def test_centred_advantages():
    model = SequencePPO(
        "SequencePolicy",
        BatchVecEnv("metalocus/BernoulliBandit-v0", 32, n_arms=2, horizon=T),
        policy_kwargs={"cell": "mlp"},
        **START,
    )
    for center in (True, False):
        model.center_advantages = center
        model.learn(32 * T)
        means = np.abs(model.rollout_buffer.advantages.mean(axis=1))
        assert (means < 1e-6).all() == center


def test_settings_read_as_sb3s_do():
    model = build(clip_range=0.3)
    read = [model.learning_rate, model.gamma, model.gae_lambda, model.ent_coef]
    assert read == [1e-3, 0.9, 0.8, 0.1]
    assert model.lr_schedule(0.5) == 1e-3
    assert model.clip_range(0.5) == 0.3
    model.gamma = LinearSchedule(0.5, 0.9, 1.0)
    assert model.gamma == 0.5
    assert model.gamma_schedule(0.0) == pytest.approx(0.9)


def test_what_was_set_is_saved(bandits, tmp_path):
    model = build()
    given = {"ent_coef": 0.7, "gamma": 0.3, "learning_rate": 0.5, "clip_range": 0.1}
    given |= {"n_epochs": 4, "batch_size": 15, "target_kl": 0.2, "scale_rewards": True}
    for name, value in given.items():
        setattr(model, name, value)
    model.save(tmp_path / "model")
    again = SequencePPO.load(tmp_path / "model", bandits())
    for name, value in given.items():
        found = getattr(again, STORED[name])
        assert (found(1.0) if callable(found) else found) == value


def test_impossible_settings_are_refused_when_they_are_assigned():
    model = build()
    for name, bad in (
        ("n_epochs", 0),
        ("gamma", 1.5),
        ("clip_range", np.nan),
        ("vf_coef", "much"),
        ("batch_size", -3),
        ("learning_rate", np.inf),
        ("normalize_advantage", 2),
    ):
        with pytest.raises(InvalidTask, match=name):
            setattr(model, name, bad)


def test_models_can_be_copied_and_sent_to_other_processes():
    model = build(clip_range=LinearSchedule(0.3, 0.1, 1.0))
    for schedule in (model.lr_schedule, model.clip_range):
        again = pickle.loads(pickle.dumps(schedule))
        assert again(0.4) == schedule(0.4)
    copied = copy.deepcopy(model)
    copied.gamma = 0.1
    assert (model.gamma, copied.gamma) == (0.9, 0.1)
