"""The engine: states of episodes, environments and epochs, truncation, and bad numbers."""

from inspect import signature

import gymnasium as gym
import numpy as np
import pytest
import torch

from metalocus.agents.agent import NonFinite
from metalocus.agents.cells.base import CELLS
from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.finite import require_finite_rows
from metalocus.envs import InvalidTask

N, T = 6, 12
SAME = {"n_steps": T, "gamma": 0.97, "gae_lambda": 0.9, "vf_coef": 0.4, "max_grad_norm": 1e9}
SAME |= {"learning_rate": 1e-3, "ent_coef": 0.01}
SAME |= {"learning_rate": 1e-3, "ent_coef": 0.01}


def rollout_of(envs, **policy):
    """A model and the rollout that it has just played, as one batch."""
    model = SequencePPO("SequencePolicy", envs(N), policy_kwargs={"cell": "lstm"} | policy, **SAME)
    model.learn(2 * N * T)
    _, callback = model._setup_learn(1, None, reset_num_timesteps=False)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, T)
    return model, next(model.rollout_buffer.sequences(N))


def each_action(model, batch):
    """Probability and value of every action at every step, [K, T * N] each, one at a time."""
    probabilities, values = [], []
    for action in range(3):
        taken = torch.full_like(batch.actions, action)
        value, log_prob, _ = model.policy.evaluate_actions(
            batch.obs, taken, batch.carry, batch.starts
        )
        probabilities.append(log_prob.exp())
        values.append(value)
    return torch.stack(probabilities), torch.stack(values)


@pytest.mark.parametrize("action_values", [True, False])
@pytest.mark.parametrize("critic", ["shared", "separate"])
def test_the_rollout_records_what_the_policy_computes_on_it_at_once(envs, critic, action_values):
    model, batch = rollout_of(envs, critic=critic, action_values=action_values)
    with torch.no_grad():
        probabilities, values = each_action(model, batch)
    assert (values.std(dim=0) > 1e-4).all() == action_values, "one value for each action, or one"
    recorded = batch.values.flatten()
    torch.testing.assert_close((probabilities * values).sum(dim=0), recorded, rtol=0, atol=1e-5)
    taken = probabilities.gather(0, batch.actions.flatten().long()[None])[0].log()
    torch.testing.assert_close(taken, batch.log_probs.flatten(), rtol=0, atol=1e-5)


def gradients(model, loss):
    return torch.autograd.grad(loss, list(model.policy.parameters()), materialize_grads=True)


def test_the_all_action_term_is_the_gradient_of_the_policys_mean_action_value(envs):
    """By enumeration of the actions; the critic learns nothing from it."""
    model, batch = rollout_of(envs)
    model.all_action_coef = 0.0
    without = gradients(model, model.losses(batch)[0])
    model.all_action_coef = 0.7
    with_it = gradients(model, model.losses(batch)[0])
    probabilities, values = each_action(model, batch)
    mean_value = (probabilities * values.detach()).sum(dim=0).mean() / batch.advantages.std()
    climb = gradients(model, -0.7 * mean_value)
    assert max(float(gradient.abs().max()) for gradient in climb) > 1e-3
    for one, other, expected in zip(with_it, without, climb, strict=True):
        torch.testing.assert_close(one - other, expected, rtol=1e-3, atol=1e-5)


def test_the_change_of_action_values_cannot_be_clipped(envs):
    with pytest.raises(InvalidTask, match=r"clip_range_vf .* action_values=False"):
        SequencePPO("SequencePolicy", envs(1), clip_range_vf=0.2)


def evaluated(policy, obs, actions, carry, starts):
    """Values and log-probabilities [T, n] of a batch."""
    values, log_probs, _ = policy.evaluate_actions(obs, actions, carry, starts)
    return torch.stack([values, log_probs]).view(2, *starts.shape)


@pytest.fixture(params=sorted(CELLS))
def batch(request, envs):
    """A policy with a cell, what it saw and did, and what it had carried in."""
    kwargs = {"cell": request.param}
    if "n_actions" in signature(CELLS[request.param]).parameters:  # sees [s, one of three, r]
        kwargs |= {"cell_kwargs": {"n_actions": 3}, "inputs": [0, 0, 1, 2, 1]}
    policy = SequencePPO("SequencePolicy", envs(1), policy_kwargs=kwargs, seed=3).policy
    obs, actions = torch.randn(T, N, 3), torch.randint(3, (T, N))
    carry, none = policy.initial_carry(N), torch.zeros(N)
    with torch.no_grad():
        for _ in range(3):
            *_, carry = policy(torch.randn(N, 3), carry, none)
    return policy, obs, actions, carry


def close(one, other):
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_an_episode_knows_nothing_of_the_one_before_wherever_it_starts(batch):
    """sb3-contrib's issue 239: the terminal state stands where a fresh one belongs."""
    policy, obs, actions, carry = batch
    for start in range(T):
        starts = torch.zeros(T, N)
        starts[start, 1:] = 1.0
        seen = obs.clone().requires_grad_()
        found = evaluated(policy, seen, actions, carry, starts)
        fresh = policy.initial_carry(N)
        after = evaluated(policy, obs[start:], actions[start:], fresh, torch.zeros(T - start, N))
        close(found[:, start:, 1:], after[:, :, 1:])
        if start > 0:
            before = evaluated(policy, obs[:start], actions[:start], carry, starts[:start])
            close(found[:, :start], before)
            found[:, start:, 1:].sum().backward()
            assert not seen.grad[:start].any()
            assert seen.grad[start:, 1:].any() or start == T - 1  # a first choice may be fixed


def test_environments_of_a_minibatch_know_nothing_of_each_other(batch):
    """sb3-contrib's issues 284 and 285: sequences of several environments, one after another."""
    policy, obs, actions, carry = batch
    starts = torch.from_numpy(np.random.default_rng(0).random((T, N)) < 0.2).float()
    found = evaluated(policy, obs, actions, carry, starts)
    for i in range(N):
        row = {name: value[i : i + 1] for name, value in carry.items()}
        one = slice(i, i + 1)
        close(
            found[:, :, one], evaluated(policy, obs[:, one], actions[:, one], row, starts[:, one])
        )
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    moved = {name: value[order] for name, value in carry.items()}
    other = evaluated(policy, obs[:, order], actions[:, order], moved, starts[:, order])
    close(found[:, :, order], other)


def test_later_epochs_use_states_of_the_present_weights(batch):
    """sb3-contrib's issue 265: the states in its buffer are those of the old weights."""
    policy, obs, actions, carry = batch
    starts = torch.zeros(T, N)
    starts[0] = 1.0
    before = evaluated(policy, obs, actions, carry, starts).detach()
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
        found, now = evaluated(policy, obs, actions, carry, starts), policy.initial_carry(N)
        assert (found - before).abs().max() > 1e-3
        for t in range(T):
            step = evaluated(policy, obs[t : t + 1], actions[t : t + 1], now, torch.zeros(1, N))
            close(found[:, t : t + 1], step)
            *_, now = policy(obs[t], now, torch.zeros(N))


def test_minibatches_hold_every_environment_once_with_its_own_carry(envs):
    model = SequencePPO("SequencePolicy", envs(N), policy_kwargs={"cell": "lstm"}, **SAME)
    buffer = model.rollout_buffer
    buffer.observations[:] = np.arange(N)[None, :, None]
    buffer.carry, buffer.earned = {"h": torch.arange(N)[:, None]}, buffer.rewards
    seen = []
    for batch in buffer.sequences(4):
        assert (batch.obs[0, :, 0] == batch.carry["h"][:, 0]).all()
        seen += batch.carry["h"][:, 0].tolist()
    assert sorted(seen) == list(range(N))


def test_predict_carries_state_and_resets_it_where_an_episode_starts(envs):
    model = SequencePPO("SequencePolicy", envs(N), policy_kwargs={"cell": "lstm"}, seed=1, **SAME)
    obs = np.random.default_rng(0).normal(size=(3, N, 3)).astype(np.float32)
    state = None
    for step in obs:
        _, state = model.predict(step, state, np.zeros(N), deterministic=True)
    begun = np.arange(N) == 2
    _, after = model.predict(obs[0], state, begun, deterministic=True)
    _, fresh = model.predict(obs[0], None, np.ones(N), deterministic=True)
    np.testing.assert_array_equal(after[0][2], fresh[0][2])
    assert (after[0][~begun] != fresh[0][~begun]).any(axis=(1, 2)).all()
    action, _ = model.predict(obs[0, 0], deterministic=True)
    assert action.shape == ()


def test_minibatches_are_of_equal_size_but_for_one_sequence(envs):
    model = SequencePPO("SequencePolicy", envs(25), policy_kwargs={"cell": "lstm"}, **SAME)
    buffer = model.rollout_buffer
    buffer.carry, buffer.earned = {}, buffer.rewards
    for asked, n_batches in ((3, 8), (25, 1), (40, 1), (24, 1), (1, 25), (7, 4)):
        sizes = [batch.obs.shape[1] for batch in buffer.sequences(asked)]
        assert (len(sizes), sum(sizes)) == (n_batches, 25)
        assert max(sizes) - min(sizes) <= 1


def same_weights(model, before):
    return all(torch.equal(before[name], v) for name, v in model.policy.state_dict().items())


class Broken(gym.Wrapper):
    """One bad number after a while, in the second of two environments."""

    rows = 0

    def __init__(self, env, what):
        super().__init__(env)
        self.what, self.steps, self.bad = what, 0, Broken.rows % 2 == 1
        Broken.rows += 1

    def step(self, action):
        obs, reward, terminated, truncated, info = super().step(action)
        self.steps += 1
        if self.bad and self.steps == T + 3:
            reward = np.nan if self.what == "reward" else reward
            obs = obs * (1.0 if self.what == "reward" else np.inf)
            terminated, truncated = False, self.what == "last observation"
        return obs, reward, terminated, truncated, info


@pytest.mark.parametrize("what", ["reward", "observation", "last observation"])
def test_bad_numbers_stop_training_before_the_weights_are_touched(envs, what):
    env = envs(2, wrap=lambda env: Broken(env, what))
    model = SequencePPO("SequencePolicy", env, policy_kwargs={"cell": "lstm"}, **SAME)
    model.learn(2 * T)
    before = {name: value.clone() for name, value in model.policy.state_dict().items()}
    where = f"the {what} of environment 1 at step {2 * (T + 3)} is not finite; the weights were not"
    with pytest.raises(NonFinite, match=where):
        model.learn(10 * T, reset_num_timesteps=False)
    assert same_weights(model, before)


def test_a_bad_first_observation_stops_training(envs):
    model = SequencePPO("SequencePolicy", envs(N), policy_kwargs={"cell": "lstm"}, **SAME)
    model.env.reset = lambda: np.where(np.arange(N)[:, None] == 4, np.nan, np.zeros((N, 3)))
    with pytest.raises(NonFinite, match="observation of environment 4 at step 0 is not finite"):
        model.learn(T)


def test_large_numbers_are_finite():
    require_finite_rows("reward", np.full(9, 3e38, dtype=np.float32))
    require_finite_rows("observation", np.arange(6).reshape(3, 2))


def test_a_bad_gradient_stops_training_before_the_weights_are_touched(envs):
    model = SequencePPO("SequencePolicy", envs(N), policy_kwargs={"cell": "lstm"}, **SAME)
    before = {name: value.clone() for name, value in model.policy.state_dict().items()}
    with pytest.raises(NonFinite, match="gradient"):
        model._descend(sum(p.sum() for p in model.policy.parameters()) * torch.inf)
    assert same_weights(model, before)


def test_it_trains_on_foreign_environments_with_continuous_actions(envs):
    model = SequencePPO(
        "SequencePolicy",
        envs(N, continuous=True),
        policy_kwargs={"cell": "lstm", "cell_kwargs": {"hidden_size": 8}},
        seed=1,
        n_steps=32,
        n_minibatches=2,
        learning_rate=2e-2,
        gamma=0.0,
        ent_coef=0.0,
    )

    def action():
        return model.predict(np.zeros((N, 3), dtype=np.float32), deterministic=True)[0].mean()

    model.learn(30 * 32 * N, lambda *_: model.num_timesteps % (32 * N) > 0 or action() <= 0.8)
    assert action() > 0.8, "the reward is the sum of the actions, which end at 1"
