"""The cell that treats all pairs of state and action alike: renaming them renames its choices."""

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from metalocus.agents.cells.alike import LONG, Alike
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.runs.build import build_policy
from metalocus.experiments.runs.config import RunConfig

T, N, K, S = 11, 4, 3, 5
SAME = {"rtol": 0, "atol": 1e-13}


def played(n_states=S, seed=0):
    """States, a number that tells nothing, actions and rewards: inputs [T, N, S + 1 + K + 1]."""
    torch.manual_seed(seed)
    action = one_hot(torch.randint(K, (T, N)), K).double()
    action[0] = 0.0
    state = one_hot(torch.randint(n_states, (T, N)), n_states).double()
    shown = [state] if n_states > 1 else []
    return torch.cat([*shown, torch.rand(T, N, 1), action, torch.rand(T, N, 1)], dim=-1)


def starts(*others):
    """All begin together; then the row at the step of each pair."""
    mask = torch.zeros(T, N).double()
    mask[0] = 1.0
    for t, row in others:
        mask[t, row] = 1.0
    return mask


def made(n_states=S):
    torch.manual_seed(1)
    told = n_states if n_states > 1 else 0
    return Alike(told + K + 2, 6, n_actions=K, n_states=n_states, head_size=7).double()


def table(carry, n_states=S):
    return carry["pairs"].view(N, n_states, K, -1)


def plain(cell, x, starts, carry):
    """The cell's equations one step and one row after the other, with PyTorch's GRU."""
    pairs, steps, last = (list(carry[name]) for name in ("pairs", "steps", "last"))
    rows = []
    for x_t, start in zip(x, starts, strict=True):
        for i, seen in enumerate(x_t):
            stimulus, action, reward = torch.split(seen, cell.sizes)
            if start[i]:
                pairs[i], steps[i] = cell.first.expand_as(pairs[i]), torch.zeros_like(steps[i])
            drive = torch.cat([stimulus[cell.told :], reward])
            changed = int(last[i].argmax()) * K + int(action.argmax())
            own = pairs[i][changed]
            after = own + action.max() * (cell.gru(drive[None], own[None])[0] - own)
            where = torch.arange(len(pairs[i]))[:, None] == changed
            pairs[i] = torch.where(where, after, pairs[i])
            state = int(stimulus[: cell.told].argmax()) if cell.told else 0
            own = pairs[i][state * K : (state + 1) * K]
            clock = torch.stack([steps[i] / LONG, torch.log1p(steps[i])])
            shared = torch.cat([own.mean(dim=0), own.amax(dim=0), clock])
            z = torch.tanh(cell.own(own) + cell.common(shared))
            logits, values = cell.read(z).unbind(dim=1)
            rows.append(torch.cat([logits, values, z.mean(dim=0)]))
            steps[i] = steps[i] + 1
            last[i] = one_hot(torch.tensor(state), cell.n_states).double()
    after = {"pairs": torch.stack(pairs), "steps": torch.stack(steps), "last": torch.stack(last)}
    return torch.stack(rows).view(*starts.shape, -1), after


@pytest.mark.parametrize("n_states", [1, S])
@pytest.mark.parametrize("whole", [True, False])
def test_a_sequence_and_its_gradients_are_the_plain_recurrence_s(n_states, whole):
    """From the first step of episodes, and from the middle of some."""
    cell, x = made(n_states), played(n_states).requires_grad_()
    began = starts((4, 1), (8, 1), (8, 3))
    carry = cell.initial(N)
    if not whole:
        _, carry = cell(played(n_states, seed=3), starts((2, 2)), carry)
        began[0, :2] = 0.0
    carry = {name: value.detach().requires_grad_() for name, value in carry.items()}
    leaves = [x, carry["pairs"], *cell.parameters()]
    found = []
    for y, after in (cell(x, began, carry), plain(cell, x, began, carry)):
        loss = (y**2).sum() + (after["pairs"] ** 3).sum()
        slopes = torch.autograd.grad(loss, leaves, materialize_grads=True)
        found.append((y, *after.values(), *slopes))
    taken = x.detach()[..., -K - 1 : -1].bool()
    for ours, plains in zip(*found, strict=True):
        if ours.shape == x.shape:  # where nothing was taken, no action's input is the greatest
            ours, plains = (each[..., -K - 1 : -1][taken] for each in (ours, plains))
            assert (ours != 0).any()
        torch.testing.assert_close(ours, plains, rtol=1e-10, atol=1e-12)


def test_renaming_states_changes_no_choice_and_renaming_actions_renames_them():
    cell, x = made(), played()
    y, after = cell(x, starts(), cell.initial(N))
    states, actions = torch.randperm(S), torch.tensor([2, 0, 1])
    renamed = x.clone()
    renamed[..., :S] = x[..., :S][..., states]
    y_renamed, after_renamed = cell(renamed, starts(), cell.initial(N))
    torch.testing.assert_close(y_renamed, y, **SAME)
    torch.testing.assert_close(table(after_renamed), table(after)[:, states], **SAME)
    renamed = x.clone()
    renamed[..., S + 1 : -1] = x[..., S + 1 : -1][..., actions]
    y_renamed, after_renamed = cell(renamed, starts(), cell.initial(N))
    for part in (slice(K), slice(K, 2 * K)):
        torch.testing.assert_close(y_renamed[..., part], y[..., part][..., actions], **SAME)
    torch.testing.assert_close(y_renamed[..., 2 * K :], y[..., 2 * K :], **SAME)
    torch.testing.assert_close(table(after_renamed), table(after)[:, :, actions], **SAME)
    assert (y[-1, :, :K].std(dim=1) > 0).any()  # actions that were treated differently differ


def test_only_the_pair_that_was_taken_changes():
    cell, x = made(), played()
    carry = cell.initial(N)
    for t in range(T):
        before = table(carry).clone()
        _, carry = cell(x[t : t + 1], starts()[t : t + 1], carry)
        changed = (table(carry) != before).any(dim=3)
        if t == 0:
            assert not changed.any()
            continue
        state, action = x[t - 1, :, :S].argmax(dim=1), x[t, :, S + 1 : -1].argmax(dim=1)
        expected = torch.zeros(N, S, K, dtype=torch.bool)
        expected[torch.arange(N), state, action] = True
        assert (changed == expected).all()


def test_what_is_carried_in_is_not_written_to():
    cell, x = made(), played()
    carry = cell.initial(N)
    kept = {name: value.clone() for name, value in carry.items()}
    with torch.no_grad():
        cell(x, starts(), carry)
    for name, value in kept.items():
        assert torch.equal(carry[name], value), name


def test_the_choice_reads_the_present_state_alone():
    cell, x = made(), played()
    _, carry = cell(x, starts(), cell.initial(N))
    nothing = torch.zeros(1, N, x.shape[2]).double()
    nothing[0, :, 2] = 1.0  # in state 2
    y, _ = cell(nothing, torch.zeros(1, N), carry)
    changed = table(carry).clone()
    changed[:, [0, 1, 3, 4]] += 1.0
    other, _ = cell(nothing, torch.zeros(1, N), {**carry, "pairs": changed.flatten(1, 2)})
    torch.testing.assert_close(other, y)
    changed[:, 2, 0] += 1.0
    other, _ = cell(nothing, torch.zeros(1, N), {**carry, "pairs": changed.flatten(1, 2)})
    assert (other[..., :K] != y[..., :K]).any()


def test_actions_that_were_never_taken_are_chosen_alike():
    cell, x = made(1), played(1)
    x[..., 2 : K + 1] = 0.0  # all but the first
    y, _ = cell(x, starts(), cell.initial(N))
    assert (y[..., 1:K] == y[..., 1:2]).all()
    assert (y[-1, :, 0] != y[-1, :, 1]).any()


def test_parameters_depend_on_neither_states_nor_actions_and_states_must_be_shown():
    few, many = (
        sum(p.numel() for p in Alike(s + k + 2, 5, n_actions=k, n_states=s).parameters())
        for s, k in ((2, 2), (10, 50))
    )
    assert few == many
    with pytest.raises(InvalidTask, match="n_states must be at most the stimulus' 3 numbers"):
        Alike(3 + K + 1, 5, n_actions=K, n_states=4)


@pytest.mark.parametrize("agent", ["alike_arms", "alike_pairs"])
def test_choices_begin_nearly_uniform(agent):
    setting = Setting("metalocus/BernoulliBandit-v0", n_arms=50, horizon=20)
    policy = build_policy(RunConfig.suited(setting, agent, 0))
    obs = torch.as_tensor(np.zeros((1, setting.layout.size), np.float32))
    distribution, _ = policy.get_distribution(obs, policy.initial_carry(1), torch.ones(1))
    assert torch.allclose(distribution.log_probs.exp(), torch.full((1, 50), 0.02), atol=1e-4)


def weights_of(n_arms, **kwargs):
    setting = Setting("metalocus/BernoulliBandit-v0", n_arms=n_arms, horizon=20)
    policy = build_policy(RunConfig.suited(setting, "alike_arms", 0, agent_kwargs=kwargs))
    return policy, {name: value.shape for name, value in policy.state_dict().items()}


def test_a_policy_of_it_has_the_same_weights_for_any_number_of_arms():
    (few, shapes), (many, others) = weights_of(2), weights_of(50)
    assert shapes == others
    assert all(name.startswith("cell.") for name in shapes)
    many.load_state_dict(few.state_dict())


def test_its_values_are_the_critic_s_and_a_critic_that_sends_no_gradient_has_a_head():
    policy, _ = weights_of(3)
    obs = torch.as_tensor(np.random.default_rng(0).normal(size=(4, 2, policy.features_dim)))
    carry, starts = policy.initial_carry(2), torch.zeros(4, 2)
    actor, critic, _ = policy.features(obs.float(), carry, starts)
    _, values = policy.read_out(actor, critic)
    torch.testing.assert_close(values, actor[:, 3:6])
    detached, shapes = weights_of(3, critic="detached")
    assert shapes["value_net.weight"][0] == 3
    assert detached.value_net.weight.requires_grad
