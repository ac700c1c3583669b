"""The cell that treats pairs of state and action alike."""

import pytest
import torch
from torch.nn.functional import one_hot

from metalocus.agents.cells.alike_pairs import AlikePairs
from metalocus.envs import InvalidTask

T, N, K, S = 11, 4, 3, 5


def played(seed=0):
    """States, a number that tells nothing, actions and rewards: inputs [T, N, S + 1 + K + 1]."""
    torch.manual_seed(seed)
    action = one_hot(torch.randint(K, (T, N)), K).double()
    action[0] = 0.0
    state = one_hot(torch.randint(S, (T, N)), S).double()
    return torch.cat([state, torch.rand(T, N, 1), action, torch.rand(T, N, 1)], dim=-1)


def starts():
    mask = torch.zeros(T, N).double()
    mask[0] = 1.0
    return mask


def made():
    torch.manual_seed(1)
    return AlikePairs(S + K + 2, 6, n_actions=K, n_states=S, head_size=7).double()


def test_renaming_states_changes_no_choice_and_renaming_actions_renames_them():
    cell, x = made(), played()
    y, after = cell(x, starts(), cell.initial(N))
    same = {"rtol": 0, "atol": 1e-13}
    states, actions = torch.randperm(S), torch.randperm(K)
    renamed = x.clone()
    renamed[..., :S] = x[..., :S][..., states]
    y_renamed, after_renamed = cell(renamed, starts(), cell.initial(N))
    torch.testing.assert_close(y_renamed, y, **same)
    table, other = (each["pairs"].view(N, S, K, -1) for each in (after, after_renamed))
    torch.testing.assert_close(other, table[:, states], **same)
    renamed = x.clone()
    renamed[..., S + 1 : -1] = x[..., S + 1 : -1][..., actions]
    y_renamed, _ = cell(renamed, starts(), cell.initial(N))
    torch.testing.assert_close(y_renamed[..., :K], y[..., :K][..., actions], **same)
    assert (y[-1, :, :K].std(dim=1) > 0).any()  # actions that were treated differently differ


def test_only_the_pair_that_was_taken_changes():
    cell, x = made(), played()
    carry = cell.initial(N)
    for t in range(T):
        before = carry["pairs"].view(N, S, K, -1).clone()
        _, carry = cell(x[t : t + 1], starts()[t : t + 1], carry)
        changed = (carry["pairs"].view(N, S, K, -1) != before).any(dim=3)
        if t == 0:
            assert not changed.any()
            continue
        state, action = x[t - 1, :, :S].argmax(dim=1), x[t, :, S + 1 : -1].argmax(dim=1)
        expected = torch.zeros(N, S, K, dtype=torch.bool)
        expected[torch.arange(N), state, action] = True
        assert (changed == expected).all()


def test_the_choice_reads_the_present_state_alone():
    cell, x = made(), played()
    _, carry = cell(x, starts(), cell.initial(N))
    nothing = torch.zeros(1, N, x.shape[2]).double()
    nothing[0, :, 2] = 1.0  # in state 2
    y, _ = cell(nothing, torch.zeros(1, N), carry)
    table = carry["pairs"].view(N, S, K, -1).clone()
    table[:, [0, 1, 3, 4]] += 1.0
    other, _ = cell(nothing, torch.zeros(1, N), {**carry, "pairs": table.flatten(1, 2)})
    torch.testing.assert_close(other, y)
    table[:, 2, 0] += 1.0
    other, _ = cell(nothing, torch.zeros(1, N), {**carry, "pairs": table.flatten(1, 2)})
    assert (other[..., :K] != y[..., :K]).any()


def test_parameters_depend_on_neither_states_nor_actions_and_states_must_be_shown():
    few, many = (
        sum(p.numel() for p in AlikePairs(s + k + 2, 5, n_actions=k, n_states=s).parameters())
        for s, k in ((2, 2), (10, 50))
    )
    assert few == many
    with pytest.raises(InvalidTask, match="n_states must be at most the stimulus' 3 numbers"):
        AlikePairs(3 + K + 1, 5, n_actions=K, n_states=4)
