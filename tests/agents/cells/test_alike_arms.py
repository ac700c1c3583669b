"""The cell that treats arms alike: renaming arms renames its choices, and changes nothing else."""

import numpy as np
import torch

from metalocus.agents.cells.alike_arms import AlikeArms
from metalocus.envs import Setting
from metalocus.experiments.runs.build import build_policy
from metalocus.experiments.runs.config import RunConfig

T, N, K, S = 9, 4, 6, 3


def played(seed=0):
    """Stimuli, one-hot actions and rewards of N episodes, inputs [T, N, S + K + 1]."""
    torch.manual_seed(seed)
    action = torch.nn.functional.one_hot(torch.randint(K, (T, N)), K).double()
    action[0] = 0.0
    stimulus, reward = torch.randn(T, N, S).double(), torch.rand(T, N, 1).double()
    return torch.cat([stimulus, action, reward], dim=-1)


def starts():
    mask = torch.zeros(T, N).double()
    mask[0] = mask[5, 2] = 1.0
    return mask


def made(hidden_size=5):
    torch.manual_seed(1)
    return AlikeArms(S + K + 1, hidden_size, n_actions=K, head_size=7).double()


def test_renaming_the_arms_renames_logits_values_and_states():
    cell, x, order = made(), played(), torch.randperm(K, generator=torch.manual_seed(2))
    renamed = x.clone()
    renamed[..., S : S + K] = x[..., S : S + K][..., order]
    y, after = cell(x, starts(), cell.initial(N))
    y_renamed, after_renamed = cell(renamed, starts(), cell.initial(N))
    same = {"rtol": 0, "atol": 1e-13}
    torch.testing.assert_close(y_renamed[..., :K], y[..., :K][..., order], **same)
    torch.testing.assert_close(y_renamed[..., K : 2 * K], y[..., K : 2 * K][..., order], **same)
    torch.testing.assert_close(y_renamed[..., 2 * K :], y[..., 2 * K :], **same)
    torch.testing.assert_close(after_renamed["arms"], after["arms"][:, order], **same)
    assert (y[-1, :, :K].std(dim=1) > 0).all()  # arms that were treated differently differ


def test_only_the_arm_that_was_taken_changes():
    cell, x = made(), played()
    carry = cell.initial(N)
    _, carry = cell(x[:1], starts()[:1], carry)
    torch.testing.assert_close(carry["arms"], cell.initial(N)["arms"])  # nothing was taken yet
    before = carry["arms"].clone()
    _, carry = cell(x[1:2], starts()[1:2], carry)
    changed = (carry["arms"] != before).any(dim=2)
    assert (changed == x[1, :, S : S + K].bool()).all()


def test_arms_that_were_never_taken_are_chosen_alike():
    cell, x = made(), played()
    x[..., S + 2 : S + K] = 0.0  # arms 2 and on are never taken
    y, _ = cell(x, starts(), cell.initial(N))
    assert (y[..., 2:K] == y[..., 2:3]).all()


def test_the_number_of_parameters_does_not_depend_on_the_number_of_arms():
    few, many = (
        sum(p.numel() for p in AlikeArms(k + 1, 5, n_actions=k).parameters()) for k in (2, 50)
    )
    assert few == many


def test_choices_begin_nearly_uniform():
    setting = Setting("metalocus/BernoulliBandit-v0", n_arms=50, horizon=20)
    config = RunConfig.suited(setting, "alike_arms", 0, agent_kwargs={"net_arch": []})
    policy = build_policy(config)
    obs = torch.as_tensor(np.zeros((1, setting.layout.size), np.float32))
    distribution, _ = policy.get_distribution(obs, policy.initial_carry(1), torch.ones(1))
    assert torch.allclose(distribution.log_probs.exp(), torch.full((1, 50), 0.02), atol=1e-4)
