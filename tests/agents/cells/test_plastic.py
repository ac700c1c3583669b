"""Cells whose weights change: what is written and read, step by step, and exact gradients."""

import pytest
import torch
from torch.autograd import gradcheck
from torch.nn import functional as F

from metalocus.agents.cells._plasticity import SEGMENT
from metalocus.agents.cells.fast_weights import CHUNK, FastWeights
from metalocus.agents.cells.hebbian import Hebbian
from metalocus.agents.cells.neuromodulated import Neuromodulated
from metalocus.envs import InvalidTask

N, SIZE, H = 3, 2, 5
PLASTIC = [Hebbian, Neuromodulated]
plastic = pytest.mark.parametrize("make", PLASTIC, ids=lambda make: make.name)


def given(cell, steps, *when):
    """Random inputs, starts at the given (t, n) and random carried tensors."""
    torch.manual_seed(0)
    starts = torch.zeros(steps, N).double()
    for t, n in when:
        starts[t, n] = 1.0
    carry = {name: torch.randn_like(value) for name, value in cell.initial(N).items()}
    return torch.randn(steps, N, SIZE).double(), starts, carry


def plain_plastic(cell, x, starts, carry):
    """The equations one trial after the other, with PyTorch's own derivatives."""
    h, hebb, ys = carry["h"], carry["hebb"], []
    decay, size = torch.sigmoid(cell.decay), len(cell.alpha)
    for x_t, start in zip(x, starts, strict=True):
        h, hebb = h * (1 - start)[:, None], hebb * (1 - start)[:, None, None]
        weights = cell.recurrent.expand(N, -1, -1).clone()
        weights[:, :size, :size] += cell.alpha[:, None] * hebb
        g = torch.tanh(cell.input(x_t) + torch.einsum("ni,nij->nj", h, weights))
        answer = torch.tanh(cell.input.bias + torch.einsum("ni,nij->nj", g, weights))
        s = torch.tanh(cell.gate(g)) if isinstance(cell, Neuromodulated) else 1 - decay
        hebb = decay * hebb + torch.einsum("ni,nj->nij", s * h[:, :size], g[:, :size])
        h = answer
        ys.append(h)
    return torch.stack(ys), {"h": h, "hebb": hebb}


@plastic
def test_plastic_network_and_its_gradients_are_the_plain_recurrence_s(make):
    """Over several segments, with episodes that start inside and at the edge of one."""
    cell = make(SIZE, H, plastic_size=3).double()
    with torch.no_grad():
        cell.alpha.mul_(10.0)
    when = (0, 0), (SEGMENT - 1, 1), (SEGMENT, 2), (2 * SEGMENT, 1)
    x, starts, carry = given(cell, 2 * SEGMENT + 3, *when)
    leaves = [x, *carry.values(), *cell.parameters()]
    for leaf in leaves:
        leaf.requires_grad_()
    y, after = cell(x, starts, carry)
    y_plain, after_plain = plain_plastic(cell, x, starts, carry)
    torch.testing.assert_close(y, y_plain, rtol=0, atol=1e-12)
    weights = torch.randn_like(y), torch.randn_like(after["hebb"])
    grads = [
        torch.autograd.grad((ys * weights[0]).sum() + (end["hebb"] * weights[1]).sum(), leaves)
        for ys, end in ((y, after), (y_plain, after_plain))
    ]
    for ours, plains in zip(*grads, strict=True):
        torch.testing.assert_close(ours, plains, rtol=1e-9, atol=1e-10)


@plastic
def test_gradients_equal_finite_differences_where_part_of_the_network_is_plastic(make):
    cell = make(SIZE, H, plastic_size=2).double()
    x, starts, carry = given(cell, SEGMENT + 2, (4, 1))

    def run(x, h, hebb, *parameters):
        named = zip((name for name, _ in cell.named_parameters()), parameters, strict=True)
        inputs = x, starts, {"h": h, "hebb": hebb}
        y, after = torch.func.functional_call(cell, dict(named), inputs)
        return y, after["hebb"]

    leaves = [x, carry["h"], carry["hebb"], *cell.parameters()]
    assert gradcheck(run, [leaf.detach().requires_grad_() for leaf in leaves], fast_mode=True)


@plastic
def test_a_network_begins_as_its_arguments_say(make):
    """The same draws, scaled and moved: 48 inputs divide the bound of a dozen by 2."""
    torch.manual_seed(0)
    usual = make(48, 40)
    torch.manual_seed(0)
    asked = make(48, 40, decay=0.75, input_bound=1.0, alpha=0.02, identity=0.25)
    assert 0.49 < asked.input.weight.abs().max() <= 0.5
    torch.testing.assert_close(asked.input.weight, usual.input.weight / 4)
    torch.testing.assert_close(asked.recurrent, 0.75 * usual.recurrent + 0.25 * torch.eye(40))
    torch.testing.assert_close(asked.alpha, usual.alpha / 5)
    torch.testing.assert_close(torch.sigmoid(asked.decay), torch.tensor(0.75))


@plastic
@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"decay": 1.0}, "decay must be above 0 and below 1"),
        ({"decay": 0.0}, "decay must be above 0 and below 1"),
        ({"decay": 1.5}, "decay must be a probability"),
        ({"identity": -0.1}, "identity must be a probability"),
        ({"alpha": -1.0}, "alpha must be a finite number of at least 0"),
        ({"input_bound": float("inf")}, "input_bound must be a finite number of at least 0"),
    ],
)
def test_numbers_out_of_range_are_refused(make, given, reason):
    with pytest.raises(InvalidTask, match=reason):
        make(SIZE, H, **given)


def test_trace_is_what_was_written_last_and_what_is_left_of_before():
    cell = Hebbian(SIZE, H, plastic_size=H, decay=0.9).double()
    x, starts, carry = given(cell, 1)
    g = torch.tanh(
        cell.input(x[0])
        + carry["h"] @ cell.recurrent
        + torch.einsum("ni,nij->nj", cell.alpha * carry["h"], carry["hebb"])
    )
    expected = 0.9 * carry["hebb"] + 0.1 * carry["h"][:, :, None] * g[:, None]
    torch.testing.assert_close(cell(x, starts, carry)[1]["hebb"], expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("sign", [-1.0, 0.0, 1.0])
def test_the_gate_opens_closes_and_turns_what_is_written(sign):
    cell = Neuromodulated(SIZE, H).double()
    x, starts, carry = given(cell, 1)
    with torch.no_grad():
        cell.decay.fill_(torch.inf)
        cell.gate.weight.zero_()
        cell.gate.bias.fill_(50.0 * sign)
        carry["hebb"].zero_()
        _, after = cell(x, starts, carry)
        g = torch.tanh(cell.input(x[0]) + carry["h"] @ cell.recurrent)
    expected = sign * carry["h"][:, :, None] * g[:, None]
    torch.testing.assert_close(after["hebb"], expected, rtol=0, atol=1e-12)


def plain_delta_rule(cell, x, starts, carry):
    """The fast matrix itself, one step after the other."""
    fast, before, ys = carry["fast"], carry["before"], []
    for x_t, start in zip(x, starts, strict=True):
        fast, before = fast * (1 - start)[:, None, None], before * (1 - start)[:, None]
        now = torch.tanh(cell.embed(x_t))
        k, q, v, skip, write = cell.slow(now).split(cell.sizes, dim=-1)
        k, q = F.normalize(k + cell.key_before(before), dim=-1), F.normalize(q, dim=-1)
        error = v - torch.einsum("nhk,nk->nh", fast, k)
        fast = fast + torch.sigmoid(write)[:, None] * error[:, :, None] * k[:, None]
        ys.append(torch.tanh(torch.einsum("nhk,nk->nh", fast, q) + skip))
        before = now
    return torch.stack(ys), {"fast": fast, "before": before}


def test_chunks_of_the_delta_rule_and_their_gradients_are_the_plain_recurrence_s():
    torch.manual_seed(1)
    cell = FastWeights(SIZE, H, key_size=3).double()
    when = (0, 0), (CHUNK - 1, 1), (CHUNK, 2), (CHUNK + 4, 0), (CHUNK + 6, 0)
    x, starts, carry = given(cell, 2 * CHUNK + 7, *when)
    leaves = [x, *carry.values(), *cell.parameters()]
    for leaf in leaves:
        leaf.requires_grad_()
    ends = []
    for run in (cell, lambda *inputs: plain_delta_rule(cell, *inputs)):
        y, after = run(x, starts, carry)
        torch.manual_seed(2)
        loss = sum((each * torch.randn(each.shape)).sum() for each in (y, *after.values()))
        ends.append((y, *after.values(), *torch.autograd.grad(loss, leaves)))
    for ours, plains in zip(*ends, strict=True):
        torch.testing.assert_close(ours, plains, rtol=1e-9, atol=1e-10)


def test_what_was_bound_to_a_key_is_read_back_by_it_alone():
    """Keys of a cue each; writing with strength 1 replaces the value, other cues' stay."""
    cell = FastWeights(4, 4, key_size=4).double()
    with torch.no_grad():
        for p in cell.parameters():
            p.zero_()
        cell.embed.weight.copy_(20.0 * torch.eye(4))  # a cue's embedding is its own unit
        k, q, v, _, _ = cell.slow.weight.split(cell.sizes)
        k.copy_(torch.eye(4))
        q.copy_(torch.eye(4))
        v.copy_(torch.eye(4).roll(1, 0))
        cell.slow.bias[-1] = 50.0
    cues = torch.eye(4).double()[[0, 1, 2]][:, None]
    _, after = cell(cues, torch.zeros(3, 1).double(), cell.initial(1))
    expected = torch.eye(4).roll(1, 0).double()
    expected[:, 3] = 0.0
    torch.testing.assert_close(after["fast"][0], expected)
    with torch.no_grad():
        v.mul_(-0.5)
    _, after = cell(cues[1:2], torch.zeros(1, 1).double(), after)
    expected[:, 1] *= -0.5
    torch.testing.assert_close(after["fast"][0], expected)
