"""Stopping and going on bit for bit; damaged files refused; writing whole or not at all."""

import os
import resource
import signal
import time
import warnings

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import LinearSchedule

from metalocus.agents import checkpoint
from metalocus.agents.cell import trainables
from metalocus.agents.checkpoint import (
    Corrupt,
    load_checkpoint,
    read_tensors,
    save_checkpoint,
    write_atomically,
    write_tensors,
)
from metalocus.agents.ppo import SequencePPO
from metalocus.agents.schedules import LengtheningHorizon
from metalocus.envs.sb3 import BatchVecEnv

N, T, ROLLOUTS = 4, 4, 4
TOTAL = N * T * ROLLOUTS
ENVS = {
    "bandit": ("metalocus/BernoulliBandit-v0", {"n_arms": 2, "horizon": 6}),
    "reversal": ("metalocus/ReversalBandit-v0", {"horizon": 6, "hazard": 0.2, "cued": True}),
}


def build(name, env, n_envs=N, settings=None, **kwargs):
    """A small model; episodes are longer than rollouts, so that much is carried over."""
    agent, (env_id, env_kwargs) = trainables()[name], ENVS[env]
    batch = BatchVecEnv(env_id, n_envs, **env_kwargs)
    policy = {"cell": agent.cell.name, "cell_kwargs": dict(agent.cell_kwargs)}
    policy["inputs"] = batch.layout.indices(agent.sees)
    settings = {"n_steps": T, "seed": 3, "n_epochs": 2} | (settings or {})
    model = SequencePPO("SequencePolicy", batch, policy_kwargs=policy | kwargs, **settings)
    batch.seed(7)
    return model


class Stops(BaseCallback):
    """Saves a checkpoint before every rollout."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def _on_step(self):
        return True

    def _on_rollout_start(self):
        save_checkpoint(self.model, self.folder / str(self.num_timesteps))


def go_on(model, stop, spoil=None):
    """Load a checkpoint in a process whose chance has run on, and train to the end."""
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    load_checkpoint(model, stop)
    if spoil is not None:
        spoil(model)
    model.learn(TOTAL - model.num_timesteps, reset_num_timesteps=False)
    return model


def state(model):
    """Parameters and everything else that later updates would read."""
    moments = model.policy.optimizer.state_dict()["state"]
    tensors = {f"{i}.{k}": v for i, part in moments.items() for k, v in part.items()}
    tensors |= dict(model.policy.state_dict()) | dict(model._last_carry)
    tensors |= {k: torch.from_numpy(v) for k, v in model.env.state_dict().items()}
    scale = model.reward_scale
    tensors["scale"] = torch.tensor([scale.count, scale.mean, scale.sum_squares, *scale.running])
    return {**tensors, "rng": torch.get_rng_state()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("env", ENVS)
@pytest.mark.parametrize("name", trainables())
def test_every_agent_goes_on_bit_for_bit_from_every_rollout(tmp_path, name, env):
    whole = build(name, env)
    whole.learn(TOTAL, Stops(tmp_path))
    expected = state(whole)
    for done in range(0, TOTAL, N * T):
        resumed = go_on(build(name, env), tmp_path / str(done))
        assert resumed.num_timesteps == TOTAL
        assert resumed._n_updates == whole._n_updates
        assert same(state(resumed), expected), f"stopped after {done} steps"


SCHEDULES = {
    "learning_rate": LinearSchedule(2e-2, 1e-3, 0.6),
    "gamma": LengtheningHorizon(2.0, 40.0),
    "gae_lambda": lambda progress: 0.9 - 0.8 * progress**2,
    "ent_coef": LinearSchedule(0.1, 0.0, 1.0),
    "clip_range": LinearSchedule(0.3, 0.05, 1.0),
}


@pytest.mark.parametrize("name", ["lstm", "transformer"])
def test_schedules_go_on_where_they_were(tmp_path, name):
    whole = build(name, "bandit", settings=SCHEDULES)
    whole.learn(TOTAL, Stops(tmp_path))
    expected = state(whole)
    for done in range(0, TOTAL, N * T):
        resumed = go_on(build(name, "bandit", settings=SCHEDULES), tmp_path / str(done))
        for setting in ("gamma", "gae_lambda", "ent_coef"):
            assert getattr(resumed, setting) == getattr(whole, setting)
        assert same(state(resumed), expected), f"stopped after {done} steps"


@pytest.mark.parametrize("setting", SCHEDULES)
def test_each_schedule_matters(setting):
    """With a constant in its place the weights differ, so the test above notices its loss."""
    found = []
    for value in (SCHEDULES[setting], SCHEDULES[setting](1.0)):
        model = build("lstm", "bandit", settings=SCHEDULES | {setting: value})
        found.append(dict(model.learn(TOTAL).policy.state_dict()))
    assert not same(*found)


@pytest.mark.parametrize("critic", ["detached", "separate"])
def test_other_critics_go_on_too(tmp_path, critic):
    whole = build("lstm", "bandit", critic=critic)
    whole.learn(TOTAL, Stops(tmp_path))
    expected = state(whole)
    resumed = go_on(build("lstm", "bandit", critic=critic), tmp_path / str(2 * N * T))
    assert same(state(resumed), expected)


def _forget_scale(model):
    model.reward_scale.count = model.reward_scale.mean = model.reward_scale.sum_squares = 0.0


FORGET = {
    "optimizer": lambda model: model.policy.optimizer.state.clear(),
    "carry": lambda model: setattr(model, "_last_carry", model.policy.initial_carry(N)),
    "observation": lambda model: model._last_obs.fill(0.0),
    "episode starts": lambda model: model._last_episode_starts.fill(True),
    "running returns": lambda model: model.reward_scale.running.fill(0.0),
    "reward scale": _forget_scale,
    "episodes": lambda model: model.env.reset(),
    "generator": lambda model: torch.manual_seed(3),
    "steps": lambda model: setattr(model, "num_timesteps", 0),
}


@pytest.mark.parametrize("part", FORGET)
def test_each_part_of_a_checkpoint_is_needed(tmp_path, part):
    """Going on without it gives other weights, so the test above notices its loss."""
    whole = build("lstm", "reversal")
    whole.learn(TOTAL, Stops(tmp_path))
    weights = {k: v.clone() for k, v in whole.policy.state_dict().items()}
    resumed = go_on(build("lstm", "reversal"), tmp_path / str(2 * N * T), FORGET[part])
    assert not same(dict(resumed.policy.state_dict()), weights)


def test_saving_leaves_training_as_it_was(tmp_path):
    saved, unsaved = build("lstm", "bandit"), build("lstm", "bandit")
    torch.manual_seed(3)
    saved.learn(TOTAL, Stops(tmp_path))
    expected = state(saved)
    torch.manual_seed(3)
    unsaved.learn(TOTAL)
    assert same(state(unsaved), expected)


@pytest.mark.parametrize(
    ("name", "env", "kwargs"),
    [
        ("mlp_feedback", "bandit", {}),
        ("lstm", "reversal", {}),
        ("lstm", "bandit", {"n_envs": 5}),
        ("lstm", "bandit", {"cell_kwargs": {"hidden_size": 8}}),
        ("lstm", "bandit", {"cell_kwargs": {"n_layers": 2}}),
        ("lstm", "bandit", {"critic": "separate"}),
    ],
)
def test_a_checkpoint_of_another_model_is_refused(tmp_path, name, env, kwargs):
    model = build("lstm", "bandit")
    model.learn(N * T)
    save_checkpoint(model, tmp_path / "checkpoint")
    with pytest.raises(Corrupt, match=r"belongs to another model \(.+\); delete it") as raised:
        load_checkpoint(build(name, env, **kwargs), tmp_path / "checkpoint")
    assert len(str(raised.value).splitlines()) == 1


def test_weights_alone_are_no_checkpoint(tmp_path):
    model = build("mlp", "bandit")
    write_tensors(tmp_path / "weights", dict(model.policy.state_dict()), {})
    with pytest.raises(Corrupt, match="belongs to another model"):
        load_checkpoint(model, tmp_path / "weights")


TENSORS = {
    "float": torch.arange(3.0),
    "keys": torch.tensor([2**63 + 1, 5], dtype=torch.uint64),
    "flags": torch.tensor([[True], [False]]),
    "bytes": torch.arange(5, dtype=torch.uint8),
    "number": torch.tensor(7),
    "nothing": torch.zeros(0, 3),
}
HEADER = {"counters": {"steps": 120, "mean": 0.1 + 0.2}}


@pytest.fixture
def stored(tmp_path):
    """A small file of tensors."""
    write_tensors(tmp_path / "file", TENSORS, HEADER)
    return tmp_path / "file"


def refused(path, data):
    path.write_bytes(data)
    with pytest.raises(Corrupt, match="delete it and train again") as raised:
        read_tensors(path)
    assert len(str(raised.value).splitlines()) == 1
    assert str(path) in str(raised.value)
    assert path.read_bytes() == data


def test_tensors_and_header_come_back_as_they_were(stored):
    tensors, header = read_tensors(stored)
    assert same(tensors, TENSORS)
    assert all(tensors[name].dtype == TENSORS[name].dtype for name in TENSORS)
    assert header.pop("sha256") == checkpoint.content_digest(TENSORS, HEADER)
    assert header == HEADER


def test_a_file_cut_off_anywhere_is_refused(stored):
    data = stored.read_bytes()
    for length in range(len(data)):
        refused(stored, data[:length])


def test_any_flipped_bit_is_refused(stored):
    data = stored.read_bytes()
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        refused(stored, bytes(flipped))


def test_foreign_and_missing_files_are_refused(stored):
    from safetensors.torch import save

    for data in (b"", b"PK\3\4 a zip", save(TENSORS), save(TENSORS, {"metalocus": "[1]"})):
        refused(stored, data)
    for text in ("{}", "1", "null", '{"sha256": 5}', "no json"):
        refused(stored, save(TENSORS, {"metalocus": text}))
    stored.unlink()
    with pytest.raises(Corrupt):
        read_tensors(stored)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_atomically(path, bytes(20_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_a_process_killed_while_it_writes_leaves_a_whole_file(tmp_path):
    path, contents = tmp_path / "file", (b"a" * 300_000, b"b" * 200_000)
    write_atomically(path, contents[0])
    for delay in np.random.default_rng(0).uniform(0.005, 0.03, size=8):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
            child = os.fork()
        if child == 0:
            while True:
                for content in contents:
                    write_atomically(path, content)
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert path.read_bytes() in contents


def test_folders_are_made_on_the_way(tmp_path):
    write_atomically(tmp_path / "a" / "b" / "file", b"x")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"x"
