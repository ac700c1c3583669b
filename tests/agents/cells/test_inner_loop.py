"""The inner loop against PyTorch's own derivatives of the stated losses, and of the whole of it."""

import pytest
import torch

from metalocus.agents.cells._inner_loop import LOSSES, Rates, Theta, Transitions, inner_loop

T, N, S, H, K = 6, 4, 3, 5, 3
SOME_STARTS = ((0, 0), (3, 1), (5, 2), (3, 3))

every_loss = pytest.mark.parametrize("loss", LOSSES)


def random(*shape):
    return torch.randn(*shape).double().requires_grad_()


def case(adapts_all=True, when=SOME_STARTS):
    """Inputs with starts at (t, n), and soft actions, so that these have gradients too."""
    torch.manual_seed(0)
    starts = torch.zeros(T, N).double()
    for t, n in when:
        starts[t, n] = 1.0
    action = (torch.rand(T, K, N).double() * (1.0 - starts)[:, None]).requires_grad_()
    given = Transitions(random(T + 1, S, N), action, random(T, N), starts)
    theta = Theta(random(H, S, N), random(K, H + 1, N), random(N))
    first = Theta(random(H, S, 1), random(K, H + 1, 1), random(1))
    a1 = torch.rand(H, S, 1).double().requires_grad_() if adapts_all else None
    a2 = torch.rand(K, H + 1, 1).double().requires_grad_()
    numbers = (torch.tensor(size).double().requires_grad_() for size in (0.3, 0.4))
    return given, theta, first, Rates(a1, a2, *numbers)


def network(layer1, layer2, x):
    """z [K, N] and h [H, N] of x [S, N]."""
    h = torch.tanh(torch.einsum("hsn,sn->hn", layer1, x))
    with_one = torch.cat([h, torch.ones_like(h[:1])])
    return torch.einsum("khn,hn->kn", layer2, with_one), h


def stated_loss(loss, z, action, reward, baseline, entropy):
    """Summed over the episodes; for one-hot actions it is the one in the module's text."""
    if loss == "value":
        return (((action * z).sum(0) - action.sum(0) * reward) ** 2 / 2).sum()
    log_p = torch.log_softmax(z, 0)
    climb = (reward - baseline) * (action * log_p).sum(0)
    return (entropy * action.sum(0) * (log_p.exp() * log_p).sum(0) - climb).sum()


def plain(given, theta, first, rates, loss, second_order):
    """The same by autograd; of first order everything but the loss's own inputs is cut off."""
    (layer1, layer2, b), outputs = theta, []
    for t in range(T):
        weights, x = (layer1, layer2), given.x[t]
        if not second_order:
            weights, x = tuple(w.detach().requires_grad_() for w in weights), x.detach()
        action, reward, taken = given.action[t], given.reward[t], given.action[t].sum(0)
        losses = stated_loss(loss, network(*weights, x)[0], action, reward, b, rates.c)
        g1, g2 = torch.autograd.grad(losses, weights, create_graph=True)
        step1 = 0.0 if rates.a1 is None else rates.a1 * g1
        step_b = rates.eta * taken * (reward - b)
        stepped = (layer1 - step1, layer2 - rates.a2 * g2, b + step_b)
        layer1, layer2, b = (
            torch.where(given.starts[t] > 0, initial, new)
            for initial, new in zip(first, stepped, strict=True)
        )
        outputs.append(network(layer1, layer2, given.x[t + 1]))
    return *(torch.stack(each) for each in zip(*outputs, strict=True)), Theta(layer1, layer2, b)


@every_loss
@pytest.mark.parametrize("second_order", [True, False])
@pytest.mark.parametrize("adapts_all", [True, False])
def test_steps_and_gradients_are_those_of_autograd_on_the_stated_loss(
    loss, adapts_all, second_order
):
    """With starts at some steps and at every one."""
    for when in (SOME_STARTS, [(t, t % N) for t in range(T)]):
        given, theta, first, rates = inputs = case(adapts_all, when)
        leaves = [*given[:3], *theta, *first, *(rate for rate in rates if rate is not None)]
        found = []
        for run in (inner_loop, plain):
            *outputs, after = run(*inputs, loss, second_order)
            torch.manual_seed(1)
            total = sum((each * torch.randn_like(each)).sum() for each in (*outputs, *after))
            grads = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)
            found.append((*outputs, *after, *grads))
        for ours, theirs in zip(*found, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)


@every_loss
def test_a_step_by_hand(loss):
    """One unit at rest, h = 0, two arms: only biases and what is before the unit can move."""
    x = torch.ones(2, 1, 1).double()
    given = Transitions(x, torch.eye(2)[None, :, :1].double(), x[1:, 0], torch.zeros(1, 1).double())
    weights = torch.tensor([[2.0, 0.5], [0.0, 0.5]]).double()[..., None]
    theta = Theta(x[:1] * 0.0, weights, x[0, 0] * 0.25)
    a1, a2 = torch.full((1, 1, 1), 0.1).double(), torch.full((2, 2, 1), 0.2).double()
    *_, after = inner_loop(
        given, theta, theta, Rates(a1, a2, *torch.tensor([0.1, 0.3]).double()), loss, True
    )
    if loss == "value":  # the error is .5, of the pulled arm alone
        expected = torch.tensor([0.1 * 0.5 * 2.0, 0.5 + 0.2 * 0.5, 0.5])
    else:  # the reward is .75 above the baseline, and both arms were equally probable
        pull = 0.75 * 0.5
        expected = torch.tensor([0.1 * pull * 2.0, 0.5 + 0.2 * pull, 0.5 - 0.2 * pull])
    moved = torch.cat([after.layer1.flatten(), after.layer2[:, 1, 0]])
    torch.testing.assert_close(moved, expected.double())
    assert after.baseline.item() == pytest.approx(0.25 + 0.1 * 0.75)
    torch.testing.assert_close(after.layer2[:, 0], weights[:, 0])


@every_loss
def test_finite_differences_agree_to_second_order(loss):
    given, theta, first, rates = case()

    def run(*flat):
        *outputs, after = inner_loop(
            Transitions(*flat[:3], given.starts),
            Theta(*flat[3:6]),
            Theta(*flat[6:9]),
            Rates(*flat[9:]),
            loss,
            True,
        )
        return (*outputs, *after)

    assert torch.autograd.gradcheck(run, (*given[:3], *theta, *first, *rates), fast_mode=True)


@every_loss
def test_of_first_order_is_the_finite_difference_with_inner_gradients_as_numbers(loss):
    """Gradients of -log pi, or of the value's loss, at what the weights are; then these
    numbers in place of them, while the weights, step sizes and baselines are moved."""
    given, theta, first, rates = case()
    numbers, around = [], [*theta, *first, *rates]

    def surrogate(flat, record):
        (layer1, layer2, b), first, (a1, a2, eta, c) = flat[:3], flat[3:6], flat[6:]
        total = 0.0
        for t in range(T):
            x, action, reward = given.x[t], given.action[t], given.reward[t]
            if record:
                weights = [layer1.detach().requires_grad_(), layer2.detach().requires_grad_()]
                z, _ = network(*weights, x)
                parts = (
                    stated_loss(loss, z, action, reward, reward - 1.0, 0.0),
                    stated_loss("policy_gradient", z, action, reward, reward, 1.0),
                )
                numbers.append(
                    [torch.autograd.grad(part, weights, retain_graph=True) for part in parts]
                )
            surprise, spread = (1.0, 0.0) if loss == "value" else (reward - b, c)
            g1, g2 = (surprise * g + spread * h for g, h in zip(*numbers[t], strict=True))
            pace = eta * action.sum(0)
            stepped = layer1 - a1 * g1, layer2 - a2 * g2
            layer1, layer2, b = (
                torch.where(given.starts[t] > 0, initial, new)
                for initial, new in zip(first, (*stepped, b + pace * (reward - b)), strict=True)
            )
            total += sum(each.square().sum() for each in network(layer1, layer2, given.x[t + 1]))
        return total

    z, h, *_ = inner_loop(given, theta, first, rates, loss, False)
    total = z.square().sum() + h.square().sum()
    grads = torch.autograd.grad(total, around, allow_unused=True, materialize_grads=True)
    torch.testing.assert_close(surrogate(around, record=True), total)
    for i, grad in enumerate(grads):
        along, size = torch.randn_like(grad), 1e-5
        ends = []
        for sign in (1.0, -1.0):
            moved = [each.detach().clone() for each in around]
            moved[i] += sign * size * along
            ends.append(surrogate(moved, record=False))
        difference = (ends[0] - ends[1]) / (2.0 * size)
        torch.testing.assert_close(difference, (grad * along).sum(), rtol=1e-6, atol=1e-6)
