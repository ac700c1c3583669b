"""Stopping and going on bit for bit; checkpoints of other models refused."""

from functools import partial

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.utils import LinearSchedule

from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo import checkpoint
from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.checkpoint import load_checkpoint, machine, save_checkpoint
from metalocus.agents.ppo.files import Corrupt, write_tensors
from metalocus.agents.ppo.schedules import LengtheningHorizon
from metalocus.envs.sb3 import BatchVecEnv

N, T, ROLLOUTS = 4, 4, 4
RUN = {"run": "lstm-0123abcd-s3"}
TOTAL = N * T * ROLLOUTS
ENVS = {
    "bandit": ("metalocus/BernoulliBandit-v0", {"n_arms": 2, "horizon": 6}),
    "reversal": ("metalocus/ReversalBandit-v0", {"horizon": 6, "hazard": 0.2, "cued": True}),
}


def build(name, env, n_envs=N, settings=None, task=None, **kwargs):
    """A small model; episodes are longer than rollouts, so that much is carried over."""
    agent, (env_id, env_kwargs) = TRAINABLES[name], ENVS["reversal" if task else env]
    batch = BatchVecEnv(env_id, n_envs, **(env_kwargs | (task or {})))
    policy = agent.arguments(batch.layout)
    settings = {"n_steps": T, "seed": 3, "n_epochs": 2, "n_minibatches": 2} | (settings or {})
    model = SequencePPO("SequencePolicy", batch, policy_kwargs=policy | kwargs, **settings)
    batch.seed(7)
    return model


class Stops(BaseCallback):
    """Saves a checkpoint before every rollout, and keeps all that it stands for."""

    def __init__(self, folder):
        super().__init__()
        self.folder, self.states = folder, {}

    def _on_step(self):
        return True

    def _on_rollout_start(self):
        save_checkpoint(self.model, self.folder / str(self.num_timesteps), {}, RUN)
        self.states[self.num_timesteps] = state(self.model)


def rest(model):
    """All that is left of training."""
    model.learn(TOTAL - model.num_timesteps, reset_num_timesteps=False)


def go_on(model, stop, spoil=None, train=rest):
    """Load a checkpoint in a process whose chance has run on, and train on."""
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    load_checkpoint(model, stop, RUN)
    if spoil is not None:
        spoil(model)
    train(model)
    return model


def state(model):
    """A copy of the parameters and of everything else that later updates would read."""
    moments = model.policy.optimizer.state_dict()["state"]
    tensors = {f"{i}.{k}": v for i, part in moments.items() for k, v in part.items()}
    tensors |= dict(model.policy.state_dict()) | dict(model._last_carry)
    tensors |= {k: torch.from_numpy(v) for k, v in model.env.state_dict().items()}
    scale = model.reward_scale
    tensors["scale"] = torch.tensor([scale.count, scale.mean, scale.sum_squares, *scale.running])
    tensors["counters"] = torch.tensor([model.num_timesteps, model._n_updates])
    return {name: value.clone() for name, value in tensors.items()} | {"rng": torch.get_rng_state()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def one_update(model, total):
    """One rollout of those that were announced, and the update on it."""
    _, callback = model._setup_learn(total - model.num_timesteps, None, reset_num_timesteps=False)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, T)
    model.train()


@pytest.mark.parametrize("env", ENVS)
@pytest.mark.parametrize("name", TRAINABLES)
def test_every_agent_goes_on_bit_for_bit_from_every_rollout(tmp_path, name, env, device):
    """From each checkpoint to all that the next one stands for, and so to the end.

    The last first, by a new model, and then the others by the same one: what it knows of later
    steps must be overwritten.
    """
    once, end = {"n_epochs": 1, "device": device}, 3 * N * T
    whole, stops = build(name, env, settings=once), Stops(tmp_path)
    whole.learn(end, stops)
    expected = stops.states | {end: state(whole)}
    resumed = build(name, env, settings=once)
    for done in reversed(range(0, end, N * T)):
        go_on(resumed, tmp_path / str(done), train=partial(one_update, total=end))
        assert same(state(resumed), expected[done + N * T]), f"stopped after {done} steps"


def test_a_checkpoint_goes_on_to_the_end_of_training(tmp_path):
    whole = build("lstm", "bandit")
    whole.learn(TOTAL, Stops(tmp_path))
    expected = state(whole)
    for done in range(0, TOTAL, N * T):
        resumed = go_on(build("lstm", "bandit"), tmp_path / str(done))
        assert resumed.num_timesteps == TOTAL
        assert same(state(resumed), expected), f"stopped after {done} steps"


SCHEDULES = {
    "learning_rate": LinearSchedule(2e-2, 1e-3, 0.6),
    "gamma": LengtheningHorizon(2.0, 40.0),
    "gae_lambda": lambda progress: 0.9 - 0.8 * progress**2,
    "ent_coef": LinearSchedule(0.1, 0.0, 1.0),
    "clip_range": LinearSchedule(0.05, 0.001, 1.0),
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


def test_each_schedule_matters():
    """With a constant in its place the weights differ, so the test above notices its loss."""

    def weights(**constant):
        model = build("lstm", "bandit", settings=SCHEDULES | constant)
        return dict(model.learn(TOTAL).policy.state_dict())

    scheduled = weights()
    assert same(weights(), scheduled)
    for setting, schedule in SCHEDULES.items():
        assert not same(weights(**{setting: schedule(1.0)}), scheduled), setting


@pytest.mark.parametrize("critic", ["detached", "separate"])
def test_other_critics_go_on_too(tmp_path, critic):
    whole = build("lstm", "bandit", critic=critic)
    whole.learn(TOTAL, Stops(tmp_path))
    expected = state(whole)
    resumed = go_on(build("lstm", "bandit", critic=critic), tmp_path / str(2 * N * T))
    assert same(state(resumed), expected)


def _forget_scale(model):
    model.reward_scale.count = model.reward_scale.mean = model.reward_scale.sum_squares = 0.0


def test_a_call_that_went_on_beyond_what_was_announced_goes_on_bit_for_bit(tmp_path):
    found = []
    for spoil in (None, lambda model: setattr(model, "_open_ended", False)):
        whole = build("lstm", "bandit", settings=SCHEDULES)
        whole.learn(TOTAL // 2)
        with pytest.warns(UserWarning, match="learn goes on beyond the 32 steps"):
            whole.learn(TOTAL // 2, Stops(tmp_path), reset_num_timesteps=False)
        expected = state(whole)
        stop = tmp_path / str(TOTAL - N * T)
        resumed = go_on(build("lstm", "bandit", settings=SCHEDULES), stop, spoil)
        found.append(same(state(resumed), expected))
    assert found == [True, False]


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


def test_each_part_of_a_checkpoint_is_needed(tmp_path):
    """Going on without it gives other weights, so the test above notices its loss."""
    whole = build("lstm", "reversal")
    whole.learn(TOTAL, Stops(tmp_path))
    weights = dict(whole.policy.state_dict())
    for part, spoil in (("none", None), *FORGET.items()):
        resumed = go_on(build("lstm", "reversal"), tmp_path / str(2 * N * T), spoil)
        assert same(dict(resumed.policy.state_dict()), weights) == (spoil is None), part


def test_saving_leaves_training_as_it_was(tmp_path):
    saved, unsaved = build("lstm", "bandit"), build("lstm", "bandit")
    torch.manual_seed(3)
    saved.learn(TOTAL, Stops(tmp_path))
    expected = state(saved)
    torch.manual_seed(3)
    unsaved.learn(TOTAL)
    assert same(state(unsaved), expected)


def saved(tmp_path, identity=RUN, **kwargs):
    """A checkpoint after one rollout."""
    model = build("lstm", "bandit", **kwargs)
    model.learn(N * T)
    save_checkpoint(model, tmp_path / "checkpoint", {"cpu_seconds": 3.0}, identity)
    return tmp_path / "checkpoint"


def refused(model, path, reason, identity=RUN):
    """In one line, before anything is changed."""
    before = state(model)
    with pytest.raises(Corrupt, match=rf"belongs to another run \(.*{reason}") as raised:
        load_checkpoint(model, path, identity)
    assert len(str(raised.value).splitlines()) == 1
    assert same(state(model), before)


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    """Also where all shapes are the same, as with another seed or hazard."""
    path = saved(tmp_path)
    others = [
        ("its policy is", {"name": "mlp_feedback"}),
        ("its policy is", {"critic": "separate"}),
        ("its policy is", {"cell_kwargs": {"n_layers": 2}}),
        ("its environment is", {"env": "reversal"}),
        ("its environment is .*'p': 0.9", {"task": {"p": 0.9}}),
        ("its environment is .*'horizon': 7", {"task": {"horizon": 7}}),
        ("its environment is .*'n_arms': 3", {"task": {"n_arms": 3}}),
        ("its n_envs is 4, here 5", {"n_envs": 5}),
        ("its seed is 3, here 4", {"settings": {"seed": 4}}),
        ("its n_steps is 4, here 3", {"settings": {"n_steps": 3}}),
    ]
    for reason, change in others:
        refused(build(**({"name": "lstm", "env": "bandit"} | change)), path, reason)
    for identity in ({"run": "of 200000 steps"}, {}):
        refused(build("lstm", "bandit"), path, "its run is lstm-0123abcd-s3, here", identity)
    assert load_checkpoint(build("lstm", "bandit"), path, RUN) == ({"cpu_seconds": 3.0}, [])


@pytest.mark.parametrize("what", ["torch", "instruction set", "ATEN_CPU_CAPABILITY", "threads"])
def test_a_checkpoint_made_elsewhere_goes_on_and_says_that_bits_may_differ(
    tmp_path, monkeypatch, what
):
    path = saved(tmp_path)
    elsewhere = machine(torch.device("cpu")) | {what: "another"}
    monkeypatch.setattr(checkpoint, "machine", lambda device: elsewhere)
    model = build("lstm", "bandit")
    with pytest.warns(
        UserWarning, match=rf"\(its {what} is .*, here another\): .* not be equal bit"
    ):
        load_checkpoint(model, path, RUN)
    assert model.num_timesteps == N * T


def test_weights_alone_are_no_checkpoint(tmp_path):
    model = build("mlp", "bandit")
    write_tensors(tmp_path / "weights", dict(model.policy.state_dict()), {})
    with pytest.raises(Corrupt, match="weights is not a checkpoint; delete it"):
        load_checkpoint(model, tmp_path / "weights", RUN)


class Tied(BaseFeaturesExtractor):
    """A user's, in which one matrix is used twice under two names."""

    def __init__(self, observation_space):
        super().__init__(observation_space, 4)
        self.one = torch.nn.Linear(observation_space.shape[0], 4)
        self.two = torch.nn.Linear(4, 4)
        self.three = torch.nn.Linear(4, 4)
        self.three.weight = self.two.weight

    def forward(self, observations):
        return self.three(self.two(self.one(observations)).tanh())


def test_weights_that_are_shared_go_on_bit_for_bit(tmp_path):
    """safetensors' issue 202."""

    def model():
        return build("mlp", "bandit", features_extractor_class=Tied, inputs=None)

    whole = model()
    whole.learn(TOTAL, Stops(tmp_path))
    expected = state(whole)
    assert same(state(go_on(model(), tmp_path / str(2 * N * T))), expected)
