"""Recurrent cells against PyTorch's own and against their equations written as loops."""

import copy

import pytest
import torch

from metalocus.agents.cells.gru import GRU
from metalocus.agents.cells.lru import LRU
from metalocus.agents.cells.lstm import LSTM
from metalocus.agents.cells.rnn import PACE, RNN
from metalocus.agents.cells.window import Window
from metalocus.envs import InvalidTask

N, SIZE, H = 5, 3, 4


def sequence(steps, seed=1):
    """Inputs and random episode starts."""
    torch.manual_seed(seed)
    x = torch.randn(steps, N, SIZE, dtype=torch.double)
    return x, (torch.rand(steps, N) < 0.2).double()


def gradients(module, y):
    module.zero_grad()
    (y**2).sum().backward()
    return {name: p.grad for name, p in module.named_parameters()}


def pytorchs(cell):
    """PyTorch's layer that computes what the cell does, and the factors on its parameters."""
    layer = copy.deepcopy(cell.layer)
    factors = dict.fromkeys(layer.state_dict(), 1.0)
    if isinstance(cell, RNN):
        factors["weight_hh_l0"] = PACE
    with torch.no_grad():
        for name, p in layer.named_parameters():
            p *= factors[name]
    return layer, factors


def close(a, b):
    torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def rnn_step(layer, x, h):
    """Elman's equation."""
    w_x, w_h, b_x, b_h = layer.parameters()
    return torch.tanh(x @ w_x.T + b_x + PACE * h @ w_h.T + b_h)


def gru_step(layer, x, h):
    """Cho's equations in PyTorch's parametrisation."""
    (x_r, x_z, x_n), (h_r, h_z, h_n) = (
        (y @ w.T + b).chunk(3, dim=1)
        for y, w, b in (
            (x, layer.weight_ih_l0, layer.bias_ih_l0),
            (h, layer.weight_hh_l0, layer.bias_hh_l0),
        )
    )
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    n = torch.tanh(x_n + r * h_n)
    return (1 - z) * n + z * h


def lstm_step(layer, x, h, c):
    """Hochreiter and Schmidhuber's equations with Gers' forget gate."""
    w_x, w_h, b_x, b_h = layer.parameters()
    i, f, g, o = (x @ w_x.T + h @ w_h.T + b_x + b_h).chunk(4, dim=1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def plain(cell, x, starts, carry):
    """A cell's equations one step after the other, with PyTorch's own derivatives."""
    h, ys = carry["h"], []
    layers, c = getattr(cell, "layers", None), carry.get("c")
    for x_t, start in zip(x, starts, strict=True):
        kept = 1 - start[:, None]
        if isinstance(cell, LSTM):
            now, after = x_t, []
            for depth, layer in enumerate(layers):
                now, memory = lstm_step(layer, now, kept * h[:, depth], kept * c[:, depth])
                after.append((now, memory))
            h, c = (torch.stack(part, dim=1) for part in zip(*after, strict=True))
            ys.append(now)
        else:
            h = (rnn_step if isinstance(cell, RNN) else gru_step)(cell.layer, x_t, kept * h)
            ys.append(h)
    return torch.stack(ys), {"h": h} if c is None else {"h": h, "c": c}


def test_sequences_and_their_gradients_are_the_plain_recurrence_s():
    """With no starts, few, many, and every row's at every step; of LSTMs both ways to run, since
    few are less than every ``LONG_RUN``-th.
    """
    for make in (RNN, GRU, LSTM, lambda *sizes: LSTM(*sizes, n_layers=2)):
        for share in (0.0, 0.01, 0.3, 1.0):
            torch.manual_seed(2)
            cell = make(SIZE, H).double()
            x = torch.randn(24, N, SIZE, dtype=torch.double)
            starts = (torch.rand(24, N) < share).double()
            carry = {key: torch.randn_like(value) for key, value in cell.initial(N).items()}
            leaves = [x, *carry.values(), *cell.parameters()]
            for leaf in leaves:
                leaf.requires_grad_()
            found = []
            for y, after in (cell(x, starts, carry), plain(cell, x, starts, carry)):
                loss = (y**2).sum() + sum((value**3).sum() for value in after.values())
                found.append((y, *after.values(), *torch.autograd.grad(loss, leaves)))
            for ours, plains in zip(*found, strict=True):
                torch.testing.assert_close(ours, plains, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("cell", [RNN, GRU])
@pytest.mark.parametrize("steps", [1, 9])
def test_it_equals_pytorchs(cell, steps):
    """Theirs knows no episode starts: it is run a step at a time and its state put back."""
    x, starts = sequence(steps)
    ours = cell(SIZE, H).double()
    theirs, factors = pytorchs(ours)
    h = first = torch.randn(N, H, dtype=torch.double)
    y, after = ours(x, starts, {"h": first})
    expected = []
    for x_t, start in zip(x, starts, strict=True):
        y_t, h = theirs(x_t[None], torch.where(start[:, None] == 1, 0.0, h)[None])
        h = h[0]
        expected.append(y_t)
    close(y, torch.cat(expected))
    close(after["h"], h)
    found, expected = gradients(ours, y), gradients(theirs, torch.cat(expected))
    for name, gradient in expected.items():
        close(found[f"layer.{name}"], factors[name] * gradient)


def test_simple_units_equal_pytorchs_in_one_pass_in_single_precision():
    torch.manual_seed(3)
    cell = RNN(SIZE, H)
    x, h = torch.randn(50, N, SIZE), torch.randn(N, H)
    y, _ = cell(x, torch.zeros(50, N), {"h": h})
    theirs, factors = pytorchs(cell)
    expected, _ = theirs(x, h[None])
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-6)
    found = gradients(cell, y)
    for name, gradient in gradients(theirs, expected).items():
        mine = found[f"layer.{name}"]
        torch.testing.assert_close(mine, factors[name] * gradient, rtol=1e-4, atol=1e-4)


def test_half_of_the_simple_units_keep_what_the_other_half_is_given():
    """The first half loses a sixth of its activity in ten steps, reads no input, and reads the
    second half by small weights.
    """
    torch.manual_seed(4)
    cell, quiet = RNN(SIZE, 64), torch.zeros(10, 1, SIZE)
    with torch.no_grad():
        cell.layer.bias_ih_l0.zero_()
        cell.layer.bias_hh_l0.zero_()
    first = torch.cat([torch.full((1, 32), 0.1), torch.zeros(1, 32)], dim=1)
    kept, _ = cell(quiet, torch.zeros(10, 1), {"h": first})
    assert 0.75 < kept[-1, 0, :32].mean() / 0.1 < 0.95
    read, _ = cell(torch.randn(2, 1, SIZE), torch.zeros(2, 1), cell.initial(1))
    assert read[0, 0, :32].abs().max() == 0.0
    assert 0.0 < read[1, 0, :32].abs().mean() < 0.1 < read[0, 0, 32:].abs().mean()


@pytest.mark.parametrize("steps", [*range(1, 9), 33])
def test_linear_units_are_the_recurrence_in_real_numbers(steps):
    x, starts = sequence(steps, seed=steps)
    cell = LRU(SIZE, H).double()
    h = first = torch.randn(N, 2, H, dtype=torch.double)
    y, after = cell(x, starts, {"h": first})
    size, turn = torch.exp(-cell.log_decay.exp()), cell.log_turn.exp()
    gain, expected = cell.log_gain.exp(), []
    for x_t, start in zip(x, starts, strict=True):
        re, im = (h * (1 - start[:, None, None])).unbind(1)
        u = torch.tanh(cell.embed(x_t))
        b_re, b_im = (u @ w.T * gain for w in cell.write.weight.chunk(2))
        re, im = (
            size * (re * turn.cos() - im * turn.sin()) + b_re,
            size * (re * turn.sin() + im * turn.cos()) + b_im,
        )
        h = torch.stack([re, im], dim=1)
        c_re, c_im = cell.read.weight.chunk(2, dim=1)
        y_t = re @ c_re.T + im @ c_im.T + cell.read.bias + cell.direct(u)
        expected.append(u + y_t * torch.sigmoid(cell.gate(y_t)))
    close(y, torch.stack(expected))
    close(after["h"], h)
    close(gradients(cell, y), gradients(cell, torch.stack(expected)))


@pytest.mark.parametrize("longest", [300, 20])
def test_gated_units_remember_for_up_to_longest_steps_before_training(longest):
    """A gate at f keeps for 1 / (1 - f) steps, and what enters an LSTM is scaled to match."""
    torch.manual_seed(4)
    told = {} if longest == 300 else {"longest": longest}
    lstm, gru = LSTM(SIZE, 500, **told).layers[0], GRU(SIZE, 500, **told).layer
    forget, enter, z = slice(500, 1000), slice(500), slice(500, 1000)

    def gate(layer, rows):
        return torch.sigmoid(layer.bias_ih_l0[rows] + layer.bias_hh_l0[rows]).detach()

    for kept in (gate(lstm, forget), gate(gru, z)):
        steps = 1 / (1 - kept)
        assert steps.min() >= 2
        assert steps.max() <= longest * 1.0001
        low, high = (2 + part * (longest - 2) for part in (0.1, 0.9))  # uniform between the two
        assert steps.quantile(0.1) == pytest.approx(low, abs=0.05 * longest)
        assert steps.quantile(0.9) == pytest.approx(high, abs=0.05 * longest)
    torch.testing.assert_close(gate(lstm, enter), 1 - gate(lstm, forget))


def test_simple_units_keep_their_value_for_up_to_longest_steps():
    torch.manual_seed(4)
    for told, longest in (({}, 300), ({"longest": 20}, 20)):
        weights = PACE * RNN(SIZE, 500, **told).layer.weight_hh_l0[:250, :250].diag().detach()
        steps = 1 / (1 - weights)
        assert steps.min() >= 1
        assert 0.9 * longest < steps.max() <= longest * 1.0001


@pytest.mark.parametrize("cell", [LSTM, GRU, RNN])
def test_no_unit_can_be_told_to_forget_at_once(cell):
    with pytest.raises(InvalidTask, match="longest must be a finite number of at least 2, got 1"):
        cell(SIZE, longest=1.0)


def test_all_units_of_the_linear_recurrence_begin_at_one_scale():
    """White input gives a state of variance 1 in each unit, whatever its memory."""
    torch.manual_seed(4)
    cell = LRU(SIZE, 500)
    size = torch.exp(-cell.log_decay.exp())
    assert 0.5 < size.min() < 0.6
    assert 0.99 < size.max() < 0.999
    steps = torch.arange(20_000)[:, None]
    variance = (cell.log_gain.exp() * size**steps).square().sum(0)
    torch.testing.assert_close(variance, torch.ones(500), rtol=1e-4, atol=0)


@pytest.mark.parametrize("window", [1, 2, 4, 20])
def test_window_holds_the_episodes_last_inputs(window):
    x, starts = sequence(9)
    cell = Window(SIZE, H, window=window).double()
    y, after = cell(x, starts, cell.initial(N))
    for n in range(N):
        history = [torch.zeros(SIZE, dtype=torch.double)] * window
        for t in range(len(x)):
            if starts[t, n]:
                history = [torch.zeros(SIZE, dtype=torch.double)] * window
            history = [*history[1:], x[t, n]]
            flat = torch.tanh(cell.embed(torch.stack(history))).T.flatten()
            close(y[t, n], cell.mlp.layers(flat))
        close(after["window"][n], torch.stack([*history, x[0, 0]])[1:-1])


def test_a_tick_is_one_more_step_on_the_same_input():
    """Against the cell with one tick, stepped by hand; values, what is carried, and gradients."""
    x, starts = sequence(4)
    two_layers = {"n_layers": 2}
    for make, given in ((RNN, {}), (GRU, {}), (LSTM, {}), (LSTM, two_layers), (LRU, {})):
        torch.manual_seed(2)
        once = make(SIZE, H, **given).double()
        torch.manual_seed(2)
        twice = make(SIZE, H, ticks=2, **given).double()
        assert twice.load_state_dict(once.state_dict())
        y, carry = twice(x, starts, twice.initial(N))
        expected, after = [], once.initial(N)
        for x_t, started in zip(x, starts, strict=True):
            _, after = once(x_t[None], started[None], after)
            y_t, after = once(x_t[None], torch.zeros(1, N, dtype=torch.double), after)
            expected.append(y_t)
        close(y, torch.cat(expected))
        for name, value in carry.items():
            close(value, after[name])
        for own, by_hand in zip(
            gradients(twice, y).values(), gradients(once, torch.cat(expected)).values(), strict=True
        ):
            close(own, by_hand)
        plain, same = once(x, starts, once.initial(N)), once.run(x, starts, once.initial(N))
        assert torch.equal(plain[0], same[0])
