"""Nothing that is not finite becomes a choice or reaches the weights, whatever it comes from."""

import copy

import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import VecEnvWrapper

from metalocus.agents.agent import NonFinite
from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.files import Corrupt
from metalocus.envs import InvalidTask
from metalocus.envs.sb3 import BatchVecEnv

N, T = 4, 5
BAD = (np.nan, np.inf, -np.inf)


def build(cell="lstm", **kwargs):
    env = BatchVecEnv("metalocus/BernoulliBandit-v0", N, seed=2, n_arms=2, horizon=T)
    kwargs = {"n_minibatches": 4, "n_epochs": 2, "seed": 1, "scale_rewards": False} | kwargs
    policy = {"cell": cell, "cell_kwargs": {"hidden_size": 4}}
    return SequencePPO("SequencePolicy", env, policy_kwargs=policy, **kwargs)


def parts(model):
    """Weights, moments and rate of the optimizer, and the count of updates."""
    found = copy.deepcopy(model.get_parameters())
    moments = found["policy.optimizer"]["state"]
    flat = {f"{i}.{k}": v for i, each in moments.items() for k, v in each.items()}
    rate = found["policy.optimizer"]["param_groups"][0]["lr"]
    return {**found["policy"], **flat, "rate": torch.tensor([rate, model._n_updates])}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_predict_refuses_observations_that_are_not_finite():
    model = build()
    for bad in BAD:
        for row in range(3):
            obs = np.zeros((3, 4), dtype=np.float32)
            obs[row, 1] = bad
            with pytest.raises(NonFinite, match=f"observation of environment {row} is not fin"):
                model.predict(obs)
        with pytest.raises(NonFinite, match="observation of environment 0 is not finite"):
            model.predict(obs[2])


def spoiled_policies(envs, continuous):
    """Models with weights spoiled by hand, or so large that finite features overflow."""
    for bad in BAD:
        for part in ("action_net", "cell"):
            model = SequencePPO("SequencePolicy", envs(1, continuous), n_steps=4)
            for parameter in getattr(model.policy, part).parameters():
                parameter.data.fill_(bad)
            yield model
    model = SequencePPO("SequencePolicy", envs(1, continuous), n_steps=4)
    model.policy.mlp_extractor.policy_net[0].bias.data.fill_(10.0)
    model.policy.action_net.weight.data.fill_(3e38)
    yield model


@pytest.mark.parametrize("continuous", [False, True])
def test_predict_refuses_choices_that_are_not_finite(envs, continuous):
    for model in spoiled_policies(envs, continuous):
        for deterministic in (True, False):
            with pytest.raises(NonFinite, match=r"(log-prob.* 0|mean action) is not finite"):
                model.predict(np.ones(3, np.float32), deterministic=deterministic)


def test_training_refuses_a_policy_that_is_not_finite():
    model = build()
    model.policy.value_net.bias.data.fill_(np.nan)
    with pytest.raises(NonFinite, match="the value of environment 0 at step 20 is not finite"):
        model.learn(N * T)


def spoil(tensor, bad):
    spoiled = tensor.clone()
    spoiled.view(-1)[-1] = bad
    return spoiled


def test_weights_that_are_not_finite_or_of_another_type_are_refused_and_named(tmp_path):
    """Every tensor, however it comes in; nothing is changed by the attempt."""
    model = build()
    model.learn(N * T)
    before = parts(model)
    given = copy.deepcopy(model.get_parameters())
    for bad in BAD:
        for name in given["policy"]:
            wrong = {**given, "policy": {**given["policy"]}}
            wrong["policy"][name] = spoil(given["policy"][name], bad)
            with pytest.raises(NonFinite, match=f"the weights {name} are not finite"):
                model.set_parameters(wrong)
            with pytest.raises(NonFinite, match=f"the weights {name} are not finite"):
                model.policy.load_state_dict(wrong["policy"])
    for name in given["policy"]:
        for dtype in (torch.complex64, torch.float64, torch.float16, torch.int64):
            wrong = {**given, "policy": {**given["policy"]}}
            wrong["policy"][name] = given["policy"][name].to(dtype)
            with pytest.raises(InvalidTask, match=f"the weights {name} must be torch.float32, not"):
                model.set_parameters(wrong)
    wrong = copy.deepcopy(given)
    wrong["policy.optimizer"]["state"][2]["exp_avg_sq"][0] = np.nan
    with pytest.raises(NonFinite, match=r"optimizer\.2\.exp_avg_sq are not finite"):
        model.set_parameters(wrong)
    assert same(parts(model), before)


def test_zips_with_such_weights_are_refused_in_one_line(tmp_path):
    for change, reason in (
        (
            lambda weights: weights["action_net.bias"].fill_(np.nan),
            "action_net.bias are not finite",
        ),
        (lambda weights: weights.update(x=torch.ones(1)), "Error"),
        (
            lambda weights: weights.update({"action_net.bias": torch.zeros(2).to(torch.complex64)}),
            "action_net.bias must be torch.float32, not torch.complex64",
        ),
    ):
        model = build()
        weights = model.policy.state_dict()
        change(weights)
        model.policy.state_dict = lambda weights=weights: weights
        model.save(tmp_path / "model")
        with pytest.raises(Corrupt, match=reason) as raised:
            SequencePPO.load(tmp_path / "model", build().env)
        assert len(str(raised.value).splitlines()) == 1


def fail_at(model, when, how):
    """Have minibatch ``when`` of the coming updates fail; returns a counter of minibatches."""
    seen, losses, step = [0], model.losses, model.policy.optimizer.step

    def bad_losses(batch):
        loss, terms = losses(batch)
        seen[0] += 1
        if seen[0] == when and how == "loss":
            loss, terms["loss"] = loss * np.inf, float("inf")
        if seen[0] == when and how == "gradient":
            loss = (
                loss
                + (model.policy.value_net.bias - model.policy.value_net.bias.detach()).sum().sqrt()
            )
        return loss, terms

    def bad_step(*args, **kwargs):
        step(*args, **kwargs)
        if seen[0] == when and how == "weights":
            model.policy.action_net.weight.data.view(-1)[0] = np.nan

    model.losses, model.policy.optimizer.step = bad_losses, bad_step
    return seen


@pytest.mark.parametrize("how", ["loss", "gradient", "weights"])
def test_weights_and_optimizer_are_those_before_the_update_wherever_it_fails(how):
    for when in range(1, 9):
        model = build(learning_rate=1e-2, gamma=0.9, gae_lambda=0.9, ent_coef=0.0)
        model.learn(N * T)
        before = parts(model)
        seen = fail_at(model, when, how)
        with pytest.raises(NonFinite, match="the weights were not changed"):
            model.learn(N * T, reset_num_timesteps=False)
        assert seen[0] in (when, when + 1)
        assert same(parts(model), before), f"at minibatch {when}"


class Huge(VecEnvWrapper):
    """Rewards in other units."""

    def __init__(self, venv, unit):
        super().__init__(venv)
        self.unit = np.float32(unit)

    def reset(self):
        return self.venv.reset()

    def step_wait(self):
        obs, rewards, dones, infos = self.venv.step_wait()
        return obs, rewards * self.unit, dones, infos


def test_huge_rewards_and_rates_leave_finite_weights():
    refused = 0
    for reward in (1e18, 1e25, 1e30, 3e38):
        for rate in (1e-3, 1e30):
            for seed in range(3):
                model = build(learning_rate=rate, seed=seed)
                model.set_env(Huge(model.env, reward))
                for _ in range(2):
                    before, reason = parts(model), ""
                    try:
                        model.learn(N * T)
                    except NonFinite as error:
                        reason = str(error)
                    if reason:
                        refused += 1
                        assert reason.endswith("finite; the weights were not changed")
                        assert same(parts(model), before)
                    assert all(value.isfinite().all() for value in parts(model).values())
    assert refused > 20, "in most of these something overflows"


def test_an_infinite_rate_is_refused_before_a_step():
    """At the second update, which leaves the weights of the first."""
    alike = {"gamma": 0.9, "gae_lambda": 0.9, "ent_coef": 0.0}
    model = build(learning_rate=lambda left: 1e-3 if left == 1 else np.inf, **alike)
    with pytest.raises(InvalidTask, match="learning_rate must be a finite number"):
        model.learn(2 * N * T)
    assert same(parts(model), parts(build(learning_rate=1e-3, **alike).learn(N * T)))
