"""Every sequence model: exact gradients, steps equal sequences, episodes kept apart."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metalocus.agents.agent import STORES
from metalocus.agents.cells.base import CELLS, init_inputs_
from metalocus.agents.cells.lstm import LSTM, _by_kernel, _by_loop
from metalocus.agents.cells.mlp import MLP

T, N, SIZE, H = 7, 5, 3, 4
KINDS = [(name, {"hidden_size": H}) for name in CELLS] + [
    ("lstm", {"hidden_size": H, "n_layers": 2}),
    ("window", {"hidden_size": H, "window": 1}),
    ("window", {"hidden_size": H, "window": 3}),
    ("transformer", {"hidden_size": H, "max_length": 3}),
    ("transformer_smeared", {"hidden_size": H, "max_length": 3}),
    ("gradient_step", {"hidden_size": H, "adapts": "head"}),
    ("value_step", {"hidden_size": H, "n_actions": 1}),
]


@pytest.fixture(params=KINDS, ids=lambda case: f"{case[0]}-{list(case[1].values())[1:]}")
def cell(request, stirred):
    name, kwargs = request.param
    torch.manual_seed(1)
    return stirred(CELLS[name](SIZE, **kwargs).double())


def carried(cell, n=N):
    """What the cell carries after some random steps, with episodes of different ages."""
    with torch.no_grad():
        return cell(torch.randn(4, n, SIZE).double(), torch.eye(4, n).double(), cell.initial(n))[1]


def starts(*when, steps=T):
    """Episode starts [T, N] at the given (t, n)."""
    mask = torch.zeros(steps, N, dtype=torch.double)
    for t, n in when:
        mask[t, n] = 1.0
    return mask


def one_by_one(cell, x, mask, carry):
    ys = []
    for t in range(len(x)):
        y, carry = cell(x[t : t + 1], mask[t : t + 1], carry)
        ys.append(y)
    return torch.cat(ys), carry


def test_carried_tensors_belong_to_a_store_and_lead_with_the_episode(cell):
    carry = cell.initial(N)
    assert set(carry) == set(cell.carried)
    assert set(cell.carried.values()) <= set(STORES)
    assert all(len(value) == N for value in carry.values())


@settings(max_examples=8, deadline=None)
@given(when=st.sets(st.tuples(st.integers(0, T - 1), st.integers(0, N - 1))))
def test_a_sequence_at_once_equals_step_by_step(when, stirred):
    for name, kwargs in KINDS:
        torch.manual_seed(2)
        cell = stirred(CELLS[name](SIZE, **kwargs).double())
        x, mask, carry = torch.randn(T, N, SIZE).double(), starts(*when), carried(cell)
        y, after = cell(x, mask, carry)
        y_steps, after_steps = one_by_one(cell, x, mask, carry)
        torch.testing.assert_close(y, y_steps, rtol=0, atol=1e-12)
        for key in after:
            torch.testing.assert_close(after[key], after_steps[key], rtol=0, atol=1e-12)


def test_an_episode_start_forgets_everything_before_it(cell):
    x, carry = torch.randn(T, N, SIZE).double(), carried(cell)
    y, _ = cell(x, starts((3, 2)), carry)
    fresh, _ = cell(x[3:], starts(steps=T - 3), cell.initial(N))
    torch.testing.assert_close(y[3:, 2], fresh[:, 2], rtol=0, atol=1e-12)


def test_episodes_never_touch_each_other(cell):
    x, mask, carry = torch.randn(T, N, SIZE).double(), starts((2, 1), (4, 3)), carried(cell)
    y, after = cell(x, mask, carry)
    x[:, 2] += 1.0
    carry = {
        key: value + (torch.arange(N) == 2).view(-1, *[1] * (value.ndim - 1))
        for key, value in carry.items()
    }
    moved, moved_after = cell(x, mask, carry)
    others = torch.arange(N) != 2
    torch.testing.assert_close(moved[:, others], y[:, others], rtol=0, atol=1e-12)
    assert (moved[:, 2] != y[:, 2]).any()
    for key in after:
        torch.testing.assert_close(moved_after[key][others], after[key][others], rtol=0, atol=1e-12)


def test_gradients_equal_finite_differences(cell):
    mask, names = starts((0, 0), (3, 1), (6, 4)), list(cell.carried)
    parameters = list(cell.parameters())
    x = torch.randn(T, N, SIZE).double().requires_grad_()
    carry = [value.requires_grad_() for value in carried(cell).values()]

    def run(x, *rest):
        values, weights = rest[: len(carry)], rest[len(carry) :]
        state = {name: w for (name, _), w in zip(cell.named_parameters(), weights, strict=True)}
        y, after = torch.func.functional_call(
            cell, state, (x, mask, dict(zip(names, values, strict=True)))
        )
        return (y, *after.values())

    assert torch.autograd.gradcheck(run, (x, *carry, *parameters), fast_mode=True)


@pytest.mark.parametrize("name", ["lstm", "rnn", "gru", "lru", "window", "transformer", "mlp"])
def test_features_tell_pairs_of_action_and_reward_apart_from_the_beginning(name):
    """A share of their variance is neither the action's nor the reward's alone."""
    torch.manual_seed(5)
    assert _joint(CELLS[name](7, hidden_size=64)) > 0.03


def test_small_input_weights_hardly_tell_pairs_apart():
    torch.manual_seed(5)
    cell = MLP(7, hidden_size=64)
    init_inputs_(cell.layers[0].weight, 7**-0.5)  # as PyTorch draws them
    assert _joint(cell) < 0.03


def _joint(cell):
    """Share of the features' variance that is of pairs of action and reward."""
    arms, rewards = torch.eye(5).repeat_interleave(2, dim=0), torch.arange(2.0).repeat(5)
    x = torch.cat([arms, rewards[:, None], torch.zeros(10, 1)], dim=1)
    y = cell(x[None], torch.ones(1, 10), cell.initial(10))[0].detach().view(5, 2, 64)
    y -= y.mean(dim=(0, 1))
    joint = y - y.mean(dim=0) - y.mean(dim=1, keepdim=True)
    return joint.square().sum() / y.square().sum()


def test_lstm_equals_pytorchs():
    torch.manual_seed(3)
    ours, theirs = LSTM(SIZE, H, n_layers=2), torch.nn.LSTM(SIZE, H, num_layers=2)
    with torch.no_grad():
        for depth in range(2):
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                weights = getattr(ours.layers[depth], f"{kind}_l0")
                getattr(theirs, f"{kind}_l{depth}").copy_(weights)
    x, carry = torch.randn(T, N, SIZE), {"h": torch.randn(N, 2, H), "c": torch.randn(N, 2, H)}
    y, after = ours(x, torch.zeros(T, N), carry)
    h, c = (carry[key].transpose(0, 1).contiguous() for key in ("h", "c"))
    y_theirs, (h_theirs, c_theirs) = theirs(x, (h, c))
    torch.testing.assert_close(y, y_theirs, rtol=0, atol=1e-6)
    torch.testing.assert_close(after["h"].transpose(0, 1), h_theirs, rtol=0, atol=1e-6)
    torch.testing.assert_close(after["c"].transpose(0, 1), c_theirs, rtol=0, atol=1e-6)
    (y**2).sum().backward()
    (y_theirs**2).sum().backward()
    mine = torch.nn.utils.parameters_to_vector(p.grad for p in ours.parameters())
    other = torch.nn.utils.parameters_to_vector(p.grad for p in theirs.parameters())
    torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("when", [[], [(0, 0)], [(0, 1), (9, 0), (9, 4)]])
def test_the_two_ways_to_run_an_lstm_agree(when):
    torch.manual_seed(4)
    cell, steps = LSTM(SIZE, H).double(), 16
    x, mask, carry = torch.randn(steps, N, SIZE).double(), starts(*when, steps=steps), carried(cell)
    found = []
    for run in (_by_kernel, _by_loop):
        h, c = (carry[name][:, 0].clone().requires_grad_() for name in "hc")
        results = run(x, mask, cell.layers[0], h, c)
        wanted = [*cell.parameters(), h, c]
        found.append([*results, *torch.autograd.grad(sum((r**2).sum() for r in results), wanted)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
