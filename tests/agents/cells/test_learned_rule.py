"""The learned rule: what it counts, its symmetry, and rules that it has among its special cases."""

import numpy as np
import pytest
import torch

from metalocus.agents.catalogue import make_named
from metalocus.agents.cells.learned_rule import (
    BOUND,
    FIRST_RATE,
    FIRST_TEMPERATURE,
    OTHERS,
    READ,
    LearnedRule,
)
from metalocus.agents.online.delta_rule import DeltaSettings
from metalocus.envs import InvalidTask, make_family

T, N, K, S = 12, 4, 3, 2


def histories(stimuli=S, seed=0):
    """Inputs [T, N, S + K + 1] of random choices, and episode starts: all at 0, one at 5."""
    torch.manual_seed(seed)
    action = torch.nn.functional.one_hot(torch.randint(K, (T, N)), K).double()
    reward = torch.randint(2, (T, N, 1)).double()
    starts = torch.zeros(T, N, dtype=torch.double)
    starts[0], starts[5, 1] = 1.0, 1.0
    return torch.cat([torch.randn(T, N, stimuli).double(), action, reward], dim=-1), starts


def test_the_rule_has_from_five_to_a_thousand_parameters():
    for kwargs, count in (
        ({"others": False}, 5),
        ({}, 8),
        ({"memory_size": 2}, 20),
        ({"hidden_size": 16, "memory_size": 2}, 132),
        ({"hidden_size": 80, "memory_size": 4}, 936),
    ):
        sizes = {
            LearnedRule(k + s + 1, n_actions=k, **kwargs).n_rule_parameters
            for k, s in ((2, 0), (5, 3))
        }
        assert sizes == {count}, "of whatever number of actions and stimuli"


@pytest.mark.parametrize("kwargs", [{}, {"hidden_size": 5, "memory_size": 3}, {"others": False}])
def test_other_names_of_the_actions_rename_the_logits_and_nothing_else(kwargs):
    x, starts = histories()
    cell = LearnedRule(S + K + 1, n_actions=K, **kwargs).double()
    y, after = cell(x, starts, cell.initial(N))
    for order in ([1, 0, 2], [2, 0, 1]):
        renamed = torch.cat([x[..., :S], x[..., [S + k for k in order]], x[..., -1:]], dim=-1)
        z, then = cell(renamed, starts, cell.initial(N))
        assert torch.equal(z[..., :K], y[..., order])
        assert torch.equal(then["weights"], after["weights"][:, order])


def test_one_update_by_hand():
    cell = LearnedRule(3, hidden_size=1, memory_size=1).double()
    with torch.no_grad():
        for parameter, values in (
            (cell.taken, [[-0.1, 0.2, 0.03]]),
            (cell.not_taken, [[0.05, -0.1, 0.02]]),
            (cell.hidden, [[0.3, -0.2, 0.5, 0.1]]),
            (cell.out, [[0.07]]),
            (cell.read, [0.6]),
            (cell.first, [0.5]),
        ):
            parameter.copy_(torch.tensor(values, dtype=torch.double))
    starts = torch.tensor([[1.0], [0.0]]).double()
    x = torch.tensor([[[0.0, 0.0, 0.0]], [[1.0, 0.0, 1.0]]]).double()
    y, after = cell(x, starts, cell.initial(1))
    taken = 0.5 - 0.05 + 0.2 + 0.03 + 0.07 * np.tanh(0.3 - 0.1 + 0.5 + 0.1)
    other = 0.5 + OTHERS * (0.025 - 0.1 + 0.02 + 0.07 * np.tanh(-0.1 + 0.5 + 0.1))
    expected = torch.tensor([[[taken]], [[other]]], dtype=torch.double)
    torch.testing.assert_close(after["weights"][0], expected, rtol=0, atol=1e-12)
    gain = READ * 0.6
    expected = torch.tensor([gain * taken, gain * other, taken, other], dtype=torch.double)
    torch.testing.assert_close(y[1, 0], expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(
        y[0, 0, :2], torch.full((2,), gain * 0.5, dtype=torch.double), rtol=0, atol=1e-6
    )


def test_an_affine_rule_is_the_delta_rule_among_others():
    x, starts = histories(stimuli=0)
    cell = LearnedRule(K + 1, n_actions=K, others=False).double()
    with torch.no_grad():
        cell.taken.copy_(torch.tensor([[-0.3, 0.3, 0.0]]))
        cell.read.fill_(1.0 / (0.1 * READ))
        cell.first.fill_(0.4)
    y, _ = cell(x, starts, cell.initial(N))
    rule = make_named("delta_rule", make_family("metalocus/BernoulliBandit-v0", n_arms=K))
    rule.settings = DeltaSettings(start=0.4, epsilon=0.0, temperature=0.1, rate=0.3)
    stores, nothing = rule.start(1, np.random.default_rng(0)), np.zeros((1, 0))
    for t in range(T):
        if t:
            action, reward = x[t, :1, :K].argmax(-1).numpy(), x[t, :1, -1].numpy()
            stores = rule.learn(stores, nothing, action, reward)
        found = torch.softmax(y[t, 0, :K], 0).detach().numpy()
        np.testing.assert_allclose(found, rule.act(nothing, stores)[0][0], atol=1e-7)


def test_before_training_every_rule_is_the_same_delta_rule():
    """Of whatever size: one that drifts would lose on a long episode most of what it learns."""
    x, starts = histories(stimuli=0)
    rule = make_named("delta_rule", make_family("metalocus/BernoulliBandit-v0", n_arms=K))
    rule.settings = DeltaSettings(
        start=0.5, epsilon=0.0, temperature=FIRST_TEMPERATURE, rate=FIRST_RATE
    )
    for kwargs in ({"others": False}, {}, {"memory_size": 2}, {"hidden_size": 9, "memory_size": 3}):
        cell = LearnedRule(K + 1, n_actions=K, **kwargs).double()
        y, _ = cell(x, starts, cell.initial(N))
        stores, nothing = rule.start(1, np.random.default_rng(0)), np.zeros((1, 0))
        for t in range(T):
            if t:
                action, reward = x[t, :1, :K].argmax(-1).numpy(), x[t, :1, -1].numpy()
                stores = rule.learn(stores, nothing, action, reward)
            found = torch.softmax(y[t, 0, :K], 0).detach().numpy()
            np.testing.assert_allclose(found, rule.act(nothing, stores)[0][0], atol=1e-5)
        assert cell.first.unique().numel() == cell.first.numel(), "further numbers differ"


def test_a_rule_of_zeros_learns_nothing_and_one_that_grows_is_held():
    x, starts = histories()
    cell = LearnedRule(S + K + 1, n_actions=K).double()
    with torch.no_grad():
        cell.taken.zero_()
        cell.not_taken.zero_()
    _, after = cell(x, starts, cell.initial(N))
    assert torch.equal(after["weights"], cell.initial(N)["weights"])
    with torch.no_grad():
        cell.taken.fill_(10.0)
    _, after = cell(x, starts, cell.initial(N))
    assert after["weights"].abs().max() == BOUND


def test_sizes_that_do_not_add_up_are_refused():
    for kwargs in ({"n_actions": 7}, {"memory_size": 0}, {"hidden_size": -1}):
        with pytest.raises(InvalidTask):
            LearnedRule(4, **kwargs)
