"""Zips of SB3's kind: what comes back, and that none is left half."""

import io
import os
import signal
import time
import warnings
import zipfile

import numpy as np
import pytest
import torch
from stable_baselines3.common.utils import ConstantSchedule, LinearSchedule

from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.sb3_zip import STORED
from metalocus.agents.ppo.schedules import LengtheningHorizon

N, T = 4, 5
POLICY = {"cell": "lstm", "cell_kwargs": {"hidden_size": 8}}


def build(env, **kwargs):
    kwargs = {"policy_kwargs": POLICY, "seed": 1} | kwargs
    return SequencePPO("SequencePolicy", env, **kwargs)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def moments(model):
    states = model.policy.optimizer.state_dict()["state"]
    return {f"{i}.{k}": torch.as_tensor(v) for i, s in states.items() for k, v in s.items()}


@pytest.mark.parametrize("trust", [False, True], ids=["as JSON", "by SB3"])
def test_what_was_learned_comes_back(bandits, trained, file, trust):
    model = SequencePPO.load(file, bandits(7), trust_pickle=trust)
    assert same(dict(model.policy.state_dict()), dict(trained.policy.state_dict()))
    assert same(moments(model), moments(trained))
    assert len(moments(model)) > 0
    assert (model.num_timesteps, model._n_updates) == (2 * N * T, trained._n_updates)
    for name in ("count", "mean", "sum_squares"):
        assert getattr(model.reward_scale, name) == getattr(trained.reward_scale, name)
    with pytest.warns(UserWarning, match="learn goes on beyond the 40 steps announced before"):
        model.learn(7 * T, reset_num_timesteps=False)
    assert model.num_timesteps == 2 * N * T + 7 * T


def test_arguments_come_back(bandits):
    plain = {
        "n_minibatches": 2,
        "n_epochs": 3,
        "normalize_advantage": False,
        "scale_rewards": False,
        "center_advantages": False,
        "all_action_coef": 0.1,
        "vf_coef": 0.3,
        "max_grad_norm": 0.7,
        "target_kl": 0.9,
        "verbose": 0,
        "seed": 11,
    }
    schedules = {
        "learning_rate": LinearSchedule(0.01, 0.002, 0.5),
        "clip_range": 0.3,
        "clip_range_vf": ConstantSchedule(0.4),
        "gamma": LengtheningHorizon(3.0, 9.0),
        "gae_lambda": 0.8,
        "ent_coef": 0.01,
    }
    policy = POLICY | {"action_values": False}
    saved = build(bandits(), **plain, **schedules, n_steps=3, batch_size=6, policy_kwargs=policy)
    buffer = io.BytesIO()
    saved.save(buffer)
    buffer.seek(0)
    model = SequencePPO.load(buffer, bandits(9))
    assert {name: getattr(model, name) for name in plain} == plain
    assert (model.n_steps, model.batch_size, model.n_envs) == (3, 6, 9)
    assert model.policy_kwargs == policy
    assert model.reward_scale is None
    for name in schedules:
        one, other = (getattr(m, STORED[name]) for m in (saved, model))
        for progress in (1.0, 0.7, 0.1):
            assert one(progress) == other(progress), name


def test_what_is_given_counts_more_than_what_was_stored(bandits, file):
    model = SequencePPO.load(file, bandits(), gamma=0.5, custom_objects={"n_epochs": 4})
    assert model.gamma_schedule(0.3) == 0.5
    assert model.n_epochs == 4
    given = {"gamma": 0.5, "n_epochs": 4, "learning_rate": 0.25}
    trusted = SequencePPO.load(file, bandits(), trust_pickle=True, **given)
    assert trusted.gamma_schedule(0.3) == 0.5
    assert trusted.lr_schedule(0.3) == 0.25
    assert trusted.n_epochs == 4
    with pytest.raises(ValueError, match="n_steps and batch_size stay as they were"):
        SequencePPO.load(file, bandits(), trust_pickle=True, n_steps=3)


def test_what_only_a_pickle_holds_must_be_given_or_is_missed(bandits, tmp_path):
    own = {"learning_rate": lambda progress: 0.01 * progress}
    policy = {**POLICY, "activation_fn": torch.nn.ReLU}
    build(bandits(), policy_kwargs=policy, **own).save(tmp_path / "model")
    with pytest.raises(ValueError, match="policy_kwargs hold more than JSON"):
        SequencePPO.load(tmp_path / "model", bandits())
    with pytest.warns(UserWarning, match="not stored, therefore the default: learning_rate;"):
        model = SequencePPO.load(tmp_path / "model", bandits(), policy_kwargs=policy)
    assert isinstance(model.policy.mlp_extractor.policy_net[1], torch.nn.ReLU)
    model = SequencePPO.load(tmp_path / "model", bandits(), policy_kwargs=policy, **own)
    assert model.lr_schedule(0.5) == 0.005


def test_without_pickles_there_must_be_an_environment(file):
    with pytest.raises(ValueError, match=r"give SequencePPO.load the environment as env=..."):
        SequencePPO.load(file)
    observation = np.zeros((3, 4), dtype=np.float32)
    model = SequencePPO.load(file, trust_pickle=True)
    assert model.predict(observation)[0].shape == (3,)


def test_saving_takes_sb3s_names(bandits, trained, tmp_path):
    trained.save(tmp_path / "new" / "model")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["model.zip"]
    SequencePPO.load(str(tmp_path / "new" / "model"), bandits())
    trained.save(str(tmp_path / "model.sb3"))
    SequencePPO.load(tmp_path / "model.sb3", bandits())


def test_saving_that_fails_leaves_the_old_file(trained, file, tmp_path, monkeypatch):
    path = tmp_path / "model.zip"
    path.write_bytes(file.read_bytes())
    monkeypatch.setattr(torch, "save", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trained.save(path)
    assert path.read_bytes() == file.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["model.zip"]


def test_a_process_killed_while_it_saves_leaves_a_whole_file(trained, tmp_path):
    path = tmp_path / "model.zip"
    trained.save(path)
    for delay in np.random.default_rng(0).uniform(0.05, 0.15, size=4):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
            child = os.fork()
        if child == 0:
            while True:
                trained.save(path)
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
