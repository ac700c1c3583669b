"""On every device of this machine an agent is the same function, trains, plays and is archived."""

import copy

import numpy as np
import pytest
import torch

from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.envs.sb3 import BatchVecEnv

N, HORIZON = 72, 12
"""More rows than LSTM's few, and two episodes in a sequence."""
TASK = {"horizon": HORIZON, "hazard": 0.2, "cued": True}


@pytest.fixture(autouse=True)
def whole_float32(monkeypatch):
    """By default PyTorch's LSTM on CUDA rounds to TF32, which has ten bits."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def build(name, device):
    env = BatchVecEnv("metalocus/ReversalBandit-v0", N, **TASK)
    policy = TRAINABLES[name].arguments(env.layout)
    model = SequencePPO("SequencePolicy", env, policy_kwargs=policy, seed=2, device=device)
    env.seed(1)
    return model


def steps_of(env):
    """Observations [T, N, D], random actions and starts [T, N] of two episodes."""
    rng, horizon = np.random.default_rng(0), 2 * HORIZON
    actions, obs, starts = rng.integers(0, 2, (horizon, N)), [env.reset()], [np.ones(N)]
    for action in actions[:-1]:
        seen, _, done, _ = env.step(action)
        obs.append(seen)
        starts.append(done)
    return [np.stack(obs), actions, np.stack(starts).astype(np.float32)]


def found(policy, given):
    """Log-probabilities and values of the steps and their gradients, as float64 on the CPU."""
    kind = next(policy.parameters())
    obs, actions, starts = (torch.as_tensor(each, device=kind.device) for each in given)
    with torch.no_grad():
        x = policy.cell_inputs(obs).to(kind.dtype)
    y = policy.cell(x, starts.to(kind.dtype), policy.initial_carry(N))[0].flatten(0, 1)
    distribution, values = policy.read_out(y, y)
    told = {"log_prob": distribution.log_prob(actions.flatten()), "values": values}
    generator = torch.Generator().manual_seed(4)
    weights = [torch.randn(each.shape, generator=generator).to(each) for each in told.values()]
    policy.zero_grad()
    sum((each * w).sum() for each, w in zip(told.values(), weights, strict=True)).backward()
    told |= {name: p.grad for name, p in policy.named_parameters()}
    return {name: each.detach().cpu().double() for name, each in told.items()}


@pytest.mark.parametrize("name", TRAINABLES)
def test_every_agent_computes_what_it_does_in_double_precision_on_the_cpu(name, device, stirred):
    model = build(name, device)
    stirred(model.policy)
    given = steps_of(model.env)
    exact = found(copy.deepcopy(model.policy).cpu().double(), given)
    for key, value in found(model.policy, given).items():
        error = (value - exact[key]).norm() / exact[key].norm()
        assert error < 2e-5, f"{key}: {error:.1e}"


@pytest.mark.parametrize("name", ["lstm", "gru", "transformer", "neuromodulated", "maml"])
def test_a_model_trained_on_a_device_plays_the_same_from_its_zip_on_the_cpu(name, device, tmp_path):
    model = build(name, device).learn(N * HORIZON)
    model.save(tmp_path / "model.zip")
    loaded = SequencePPO.load(tmp_path / "model.zip", env=model.env, device="cpu")
    obs, state, other = model.env.reset(), None, None
    start = np.ones(N, dtype=bool)
    for _ in range(HORIZON):
        chosen, state = model.predict(obs, state, start, deterministic=True)
        again, other = loaded.predict(obs, other, start, deterministic=True)
        assert (chosen == again).mean() > 0.95  # a tie is broken by the last bit
        for one, two in zip(state, other, strict=True):
            np.testing.assert_allclose(one, two, rtol=0, atol=1e-4)
        obs, _, start, _ = model.env.step(chosen)
