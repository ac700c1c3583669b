"""Losses and gradients equal SB3's and sb3-contrib's, on the same rollouts and weights."""

from unittest import mock

import pytest
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO

from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.buffer import Sequences

N, T = 6, 12
SAME = {"n_steps": T, "gamma": 0.97, "gae_lambda": 0.9, "vf_coef": 0.4, "max_grad_norm": 1e9}


def copy_of(rollout):
    names = (
        "observations",
        "actions",
        "episode_starts",
        "values",
        "log_probs",
        "advantages",
        "returns",
        "rewards",
    )
    return {name: torch.as_tensor(getattr(rollout, name).copy()) for name in names}


def sequences(data, carry, discrete=True):
    actions = data["actions"][..., 0] if discrete else data["actions"]
    rest = {name: data[name] for name in ("values", "log_probs", "advantages", "returns")}
    return Sequences(
        obs=data["observations"],
        actions=actions,
        starts=data["episode_starts"],
        earned=data["rewards"],
        carry=carry,
        **rest,
    )


def theirs(model, n_rollouts=2):
    """Rollout data, state carried in, losses and gradients of the last of some rollouts."""
    model.batch_size, model.n_epochs = N * T, 1
    _, callback = model._setup_learn(10_000, None)
    model.set_logger(model.logger)
    callback.on_training_start({}, {})
    for _ in range(n_rollouts):
        carry = getattr(model, "_last_lstm_states", None)
        model.collect_rollouts(model.env, callback, model.rollout_buffer, T)
    data = copy_of(model.rollout_buffer)
    model.policy.optimizer.step = lambda *a, **k: None
    # sb3-contrib cuts one sequence in two at a random place; a cut at 0 leaves all whole
    with mock.patch("numpy.random.randint", return_value=0):
        model.train()
    logged = {key.removeprefix("train/"): v for key, v in model.logger.name_to_value.items()}
    return data, carry, logged, {n: p.grad for n, p in model.policy.named_parameters()}


def recurrent_pair(envs, layers, critic, continuous):
    kwargs = {"lstm_hidden_size": 8, "n_lstm_layers": layers, "net_arch": [5]}
    kwargs |= {"shared_lstm": critic == "detached", "enable_critic_lstm": critic == "separate"}
    other = RecurrentPPO("MlpLstmPolicy", envs(N, continuous), policy_kwargs=kwargs, seed=5, **SAME)
    policy = {"cell": "lstm", "cell_kwargs": {"hidden_size": 8, "n_layers": layers}}
    ours = SequencePPO(
        "SequencePolicy",
        envs(N, continuous),
        policy_kwargs={**policy, "critic": critic, "action_values": False, "net_arch": [5]},
        ent_coef=0.0,
        scale_rewards=False,
        **SAME,
    )
    return ours, other


def renamed(name):
    """sb3-contrib's name of one of our parameters."""
    for ours, theirs in (("critic_cell.", "lstm_critic."), ("cell.", "lstm_actor.")):
        if name.startswith(ours):
            layer, rest = name.removeprefix(ours + "layers.").split(".")
            return theirs + rest.replace("_l0", f"_l{layer}")
    return name


@pytest.mark.parametrize("continuous", [False, True], ids=["discrete", "continuous"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("critic", ["detached", "separate"])
def test_losses_and_gradients_equal_sb3_contribs(envs, layers, critic, continuous):
    ours, other = recurrent_pair(envs, layers, critic, continuous)
    weights = other.policy.state_dict()
    ours.policy.load_state_dict({n: weights[renamed(n)] for n in ours.policy.state_dict()})
    data, carried_in, logged, gradients = theirs(other)
    assert 0 < data["episode_starts"][1:].mean() < 1, "episodes must start inside the rollout"
    assert carried_in.pi[0].abs().sum() > 0, "something must be carried over"
    carry = {key: value.transpose(0, 1) for key, value in zip("hc", carried_in.pi, strict=True)}
    if critic == "separate":
        carry |= {
            f"critic.{k}": v.transpose(0, 1) for k, v in zip("hc", carried_in.vf, strict=True)
        }
    loss, terms = ours.losses(sequences(data, carry, not continuous))
    loss.backward()
    for name in ("policy_gradient_loss", "value_loss", "entropy_loss", "loss", "clip_fraction"):
        assert terms[name] == pytest.approx(logged[name], abs=1e-5)
    for name, parameter in ours.policy.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[renamed(name)], rtol=0, atol=1e-5)


def test_a_memoryless_policy_equals_sb3s_ppo(envs):
    other = PPO("MlpPolicy", envs(N), seed=5, device="cpu", batch_size=N * T, **SAME)
    policy = {"cell": "mlp", "critic": "separate", "action_values": False, "net_arch": []}
    ours = SequencePPO(
        "SequencePolicy", envs(N), policy_kwargs=policy, ent_coef=0.0, scale_rewards=False, **SAME
    )

    def theirs_of(name):
        for mine, other_name in (
            ("cell.layers", "mlp_extractor.policy_net"),
            ("critic_cell.layers", "mlp_extractor.value_net"),
        ):
            if name.startswith(mine):
                return name.replace(mine, other_name)
        return name

    weights = other.policy.state_dict()
    ours.policy.load_state_dict({n: weights[theirs_of(n)] for n in ours.policy.state_dict()})
    data, _, logged, gradients = theirs(other)
    loss, terms = ours.losses(sequences(data, {}))
    loss.backward()
    for name in ("policy_gradient_loss", "value_loss", "entropy_loss", "loss"):
        assert terms[name] == pytest.approx(logged[name], abs=1e-5)
    for name, parameter in ours.policy.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[theirs_of(name)], rtol=0, atol=1e-5)
