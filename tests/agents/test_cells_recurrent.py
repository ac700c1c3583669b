"""Recurrent cells against PyTorch's own and against their equations written as loops."""

import pytest
import torch

from metalocus.agents.cells.gru import GRU
from metalocus.agents.cells.mingru import MinGRU
from metalocus.agents.cells.rnn import RNN
from metalocus.agents.cells.window import Window

N, SIZE, H = 5, 3, 4


def sequence(steps, seed=1):
    """Inputs and random episode starts."""
    torch.manual_seed(seed)
    x = torch.randn(steps, N, SIZE, dtype=torch.double)
    return x, (torch.rand(steps, N) < 0.2).double()


def gradients(module, y):
    module.zero_grad()
    (y**2).sum().backward()
    return torch.nn.utils.parameters_to_vector(p.grad for p in module.parameters())


def close(a, b):
    torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("ours", "theirs"), [(RNN, torch.nn.RNN), (GRU, torch.nn.GRU)])
@pytest.mark.parametrize("steps", [1, 9])
def test_it_equals_pytorchs(ours, theirs, steps):
    """Theirs knows no episode starts: it is run a step at a time and its state put back."""
    x, starts = sequence(steps)
    ours, theirs = ours(SIZE, H).double(), theirs(SIZE, H).double()
    ours.layer.load_state_dict(theirs.state_dict())
    h = first = torch.randn(N, H, dtype=torch.double)
    y, after = ours(x, starts, {"h": first})
    expected = []
    for x_t, start in zip(x, starts, strict=True):
        y_t, h = theirs(x_t[None], torch.where(start[:, None] == 1, 0.0, h)[None])
        h = h[0]
        expected.append(y_t)
    close(y, torch.cat(expected))
    close(after["h"], h)
    close(gradients(ours, y), gradients(theirs, torch.cat(expected)))


@pytest.mark.parametrize("cell", [RNN, GRU])
def test_it_equals_pytorchs_in_one_pass_in_single_precision(cell):
    torch.manual_seed(3)
    cell = cell(SIZE, H)
    x, h = torch.randn(50, N, SIZE), torch.randn(N, H)
    y, _ = cell(x, torch.zeros(50, N), {"h": h})
    expected, _ = cell.layer(x, h[None])
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(gradients(cell, y), gradients(cell, expected), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("steps", [*range(1, 9), 33])
def test_scan_equals_the_recurrence_step_by_step(steps):
    x, starts = sequence(steps, seed=steps)
    cell = MinGRU(SIZE, H, n_layers=1).double()
    h = first = torch.randn(N, H, dtype=torch.double)
    y, after = cell(x, starts, {"h": first[:, None]})
    w_z, w_h = cell.layers[0].weight.chunk(2)
    b_z, b_h = cell.layers[0].bias.chunk(2)
    expected = []
    for x_t, start in zip(x, starts, strict=True):
        h = h * (1 - start[:, None])
        z = torch.sigmoid(x_t @ w_z.T + b_z)
        h = (1 - z) * h + z * (x_t @ w_h.T + b_h)
        expected.append(h)
    close(y, torch.stack(expected))
    close(after["h"][:, 0], h)
    close(gradients(cell, y), gradients(cell, torch.stack(expected)))


def test_stacked_layers_read_the_ones_below():
    x, starts = sequence(9)
    both = MinGRU(SIZE, H, n_layers=2).double()
    below, above = MinGRU(SIZE, H, n_layers=1).double(), MinGRU(H, H, n_layers=1).double()
    below.layers[0], above.layers[0] = both.layers
    carry = torch.randn(N, 2, H, dtype=torch.double)
    y, after = both(x, starts, {"h": carry})
    y_below, after_below = below(x, starts, {"h": carry[:, :1]})
    expected, after_above = above(y_below, starts, {"h": carry[:, 1:]})
    close(y, expected)
    close(after["h"], torch.cat([after_below["h"], after_above["h"]], dim=1))


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
            flat = torch.stack(history, dim=1).flatten()
            close(y[t, n], cell.mlp.layers(flat))
        close(after["window"][n], torch.stack([*history, x[0, 0]])[1:-1])
