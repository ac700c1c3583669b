"""Transformers against PyTorch's layers, and the activations inside them."""

import pytest
import torch

from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.cells.smeared import SmearedTransformer
from metalocus.agents.cells.transformer import Transformer
from metalocus.envs import make_episodes

T, N, SIZE, H = 8, 3, 4, 6


SIZES = {"n_layers": 2, "n_heads": 2, "head_size": 3, "max_length": T}


@pytest.fixture
def cell(stirred):
    torch.manual_seed(1)
    return stirred(Transformer(SIZE, H, **SIZES).double())


@pytest.fixture
def smeared(stirred):
    torch.manual_seed(1)
    return stirred(SmearedTransformer(SIZE, H, **SIZES).double())


def inputs(*began):
    """Random inputs, and starts at the given (t, n) and at the beginning."""
    starts = torch.zeros(T, N, dtype=torch.double)
    starts[0] = 1.0
    for t, n in began:
        starts[t, n] = 1.0
    return torch.randn(T, N, SIZE, dtype=torch.double), starts


def close(a, b):
    torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def pytorchs(block):
    """PyTorch's pre-norm layer with a block's weights."""
    layer = torch.nn.TransformerEncoderLayer(H, 2, H, dropout=0.0, norm_first=True).double()
    ours = [*block.norm.parameters(), *block.qkv.parameters(), *block.out.parameters()]
    norm, first, _, second = block.perceptron
    ours += [*norm.parameters(), *first.parameters(), *second.parameters()]
    theirs = [*layer.norm1.parameters(), *layer.self_attn.parameters(), *layer.norm2.parameters()]
    theirs += [*layer.linear1.parameters(), *layer.linear2.parameters()]
    with torch.no_grad():
        for mine, other in zip(ours, theirs, strict=True):
            other.copy_(mine)
    return layer


def test_it_equals_pytorchs_layers(cell):
    """On whole episodes, whose streams and patterns are given."""
    x, starts = inputs()
    y, _ = cell(x, starts, cell.initial(N))
    inside = cell.activations(x, starts)
    stream = torch.tanh(cell.embed(x)) + cell.place(cell.waves[:T])[:, None]
    close(inside.residual[0], stream)
    future = torch.ones(T, T, dtype=torch.bool).triu(1)
    for depth, block in enumerate(cell.blocks):
        layer = pytorchs(block)
        normed = layer.norm1(stream)
        _, pattern = layer.self_attn(
            normed, normed, normed, attn_mask=future, average_attn_weights=False
        )
        close(inside.attention[depth], pattern)
        stream = layer(stream, src_mask=future)
        close(inside.residual[2 * depth + 2], stream)
    close(y, stream)


@pytest.mark.parametrize("kind", ["cell", "smeared"])
def test_attention_mixes_the_values_as_its_pattern_says(kind, request):
    cell = request.getfixturevalue(kind)
    x, starts = inputs((3, 1))
    inside = cell.activations(x, starts)
    for depth, block in enumerate(cell.blocks):
        before, after = inside.residual[2 * depth : 2 * depth + 2]
        values = block.qkv(block.norm(before))[..., 2 * H :].unflatten(-1, (2, -1))
        mixed = torch.einsum("nats,snad->tnad", inside.attention[depth], values).flatten(2)
        close(before + block.out(mixed), after)


def test_before_training_the_last_step_alone_is_read(stirred):
    """Neither blocks nor positions add anything; once training moves them they do."""
    torch.manual_seed(5)
    cell = Transformer(SIZE, H).double()
    x, starts = inputs()
    alone = torch.tanh(cell.embed(x))
    close(cell(x, starts, cell.initial(N))[0], alone)
    assert (stirred(cell)(x, starts, cell.initial(N))[0] - alone).abs().max() > 0.01


def test_no_attention_to_the_future_or_to_another_episode(cell):
    _, starts = given = inputs((3, 1), (4, 1), (7, 2))
    attention = cell.activations(*given).attention
    episode = starts.cumsum(0)
    for n in range(N):
        seen = (episode[:, None, n] == episode[None, :, n]).tril()
        assert (attention[:, n, :, seen] > 0).all()
        assert (attention[:, n, :, ~seen] == 0).all()
    close(attention.sum(-1), torch.ones_like(attention[..., 0]))


def test_positions_are_counted_from_the_episodes_start(cell):
    """The same inputs are another thing later in an episode, but not in a later episode."""
    x, starts = inputs((4, 0), (4, 2))
    x[4:] = x[:4]
    y, _ = cell(x, starts, cell.initial(N))
    close(y[4:, [0, 2]], y[:4, [0, 2]])
    assert (y[4:, 1] - y[:4, 1]).abs().max() > 1e-3
    x[:] = x[0]
    y, _ = cell(x, starts, cell.initial(N))
    assert (y[1:4] - y[:3]).abs().amax(-1).min() > 1e-6


@pytest.mark.parametrize("at_once", [True, False])
def test_it_looks_back_max_length_steps_and_no_further(at_once, stirred):
    torch.manual_seed(2)
    cell = stirred(Transformer(SIZE, H, n_layers=1, max_length=3).double())
    x, starts = inputs()

    def last(x):
        carry = cell.initial(N)
        if at_once:
            return cell(x, starts, carry)[0][-1]
        for t in range(T):
            y, carry = cell(x[t : t + 1], starts[t : t + 1], carry)
        return y[0]

    for back in range(T):
        moved = x.clone()
        moved[T - 1 - back] += 1.0
        assert (last(moved) != last(x)).any() == (back <= 3)


def test_cache_is_empty_before_the_start_and_holds_the_rest(cell):
    x, starts = inputs((5, 1))
    _, carry = cell(x, starts, cell.initial(N))
    held = (carry["cache"] != 0).any(-1).any(-1)[:, 0].sum(1)
    assert held.tolist() == carry["position"].tolist() == [T, 3, T]
    kv = cell.blocks[0].qkv(cell.blocks[0].norm(cell.activations(x, starts).residual[0]))[..., H:]
    close(carry["cache"][:, 0].flatten(2)[0], kv[:, 0])


@pytest.mark.parametrize("name", ["transformer", "transformer_smeared"])
@pytest.mark.parametrize("horizon", [7, 250])
def test_all_of_an_episode_is_in_view(horizon, name):
    layout = make_episodes("metalocus/BernoulliBandit-v0", horizon=horizon).layout
    assert TRAINABLES.find(name).arguments(layout)["cell_kwargs"] == {"max_length": horizon}


# Smeared keys: those of the first block see the step before, and nothing else does.


def test_without_the_step_before_it_is_the_transformer(smeared):
    weights = {k: v for k, v in smeared.state_dict().items() if not k.startswith("key_before")}
    plain = Transformer(SIZE, H, **SIZES).double()
    plain.load_state_dict(weights)
    x, starts = inputs((3, 1))
    found, same = smeared(x, starts, smeared.initial(N))[0], plain(x, starts, plain.initial(N))[0]
    assert (found - same).abs().max() > 1e-3
    torch.nn.init.zeros_(smeared.key_before.weight)
    close(smeared(x, starts, smeared.initial(N))[0], same)


def test_the_first_keys_see_the_step_before_of_the_same_episode(smeared):
    x, starts = inputs((3, 1))
    inside = smeared.activations(x, starts)
    own = smeared.blocks[0].qkv(smeared.blocks[0].norm(inside.residual[0]))[..., H : 2 * H]
    added = torch.zeros_like(own)
    added[1:] = smeared.key_before(torch.tanh(smeared.embed(x[:-1])))
    added[3, 1] = 0.0
    close(inside.keys[0], (own + added).transpose(0, 1))
    second = smeared.blocks[1]
    own = second.qkv(second.norm(inside.residual[2]))[..., H : 2 * H]
    close(inside.keys[1], own.transpose(0, 1))
    carry = smeared(x, starts, smeared.initial(N))[1]
    close(carry["cache"][0, :, :, 0], inside.keys[:, 0])


@pytest.mark.parametrize("kind", ["cell", "smeared"])
def test_what_one_layer_can_match(kind, request):
    """Whether attention among two steps turns on the step before either: else nothing binds."""
    cell = request.getfixturevalue(kind)
    x, starts = inputs()

    def odds(x):
        pattern = cell.activations(x, starts).attention[0, :, :, 6]
        return (pattern[..., 4] / pattern[..., 2]).log()

    other = x.clone()
    other[1] += 1.0
    assert ((odds(other) - odds(x)).abs().min() > 1e-6) == (kind == "smeared")


# Playing: a step appends to the cache in place, and no cache that anyone holds changes.


def play(cell, x, carry):
    """A step without gradients, as an agent plays; x is [N, SIZE]."""
    with torch.no_grad():
        return cell(x[None], torch.zeros(1, len(x), dtype=x.dtype), carry)


def test_a_played_step_is_a_trained_one_bit_for_bit(stirred):
    """With heads of odd sizes, and past the end of the cache."""
    for heads, size, length, dtype in (
        (2, 16, 12, torch.float32),
        (1, 1, 9, torch.float32),
        (4, 7, 5, torch.float64),
        (3, 3, 1, torch.float32),
    ):
        torch.manual_seed(3)
        cell = stirred(Transformer(SIZE, H, 2, heads, size, length).to(dtype))
        played = trained = cell.initial(N)
        for _ in range(3 * length + 5):
            x = torch.randn(N, SIZE, dtype=dtype)
            y, played = play(cell, x, played)
            z, after = cell(x[None], torch.zeros(1, N, dtype=dtype), trained)
            trained = {name: value.detach() for name, value in after.items()}
            assert torch.equal(y, z), (heads, size, length)
            assert torch.equal(played["cache"], trained["cache"]), (heads, size, length)


def test_no_cache_that_is_held_changes_whatever_is_played_from_it(cell):
    """Steps from caches old and new, twice from one, and from some rows of one, in any order."""
    generator = torch.Generator().manual_seed(4)
    histories, held = [[]], [(cell.initial(N), slice(None))]
    for _ in range(60):
        at = int(torch.randint(max(0, len(held) - 4), len(held), (1,), generator=generator))
        carry, rows = held[at]
        if len(carry["position"]) == N and torch.rand(1, generator=generator) < 0.2:
            rows = slice(0, 2)
            carry = {name: value[rows] for name, value in carry.items()}
        x = torch.randn(len(carry["position"]), SIZE, generator=generator, dtype=torch.double)
        histories.append([*((past[rows] if len(past) == N else past) for past in histories[at]), x])
        held.append((play(cell, x, carry)[1], rows))
    for history, (carry, _) in zip(histories, held, strict=True):
        if history:
            x = torch.stack(history)
            y = cell(x, torch.zeros(x.shape[:2]).double(), cell.initial(x.shape[1]))[1]
            close(carry["cache"], y["cache"])


def test_few_steps_copy_the_cache():
    cell = Transformer(SIZE, H, max_length=40)
    carry, kept = cell.initial(N), 0
    for _ in range(80):
        before = carry["cache"].untyped_storage().data_ptr()
        carry = play(cell, torch.randn(N, SIZE), carry)[1]
        kept += carry["cache"].untyped_storage().data_ptr() == before
    assert kept >= 80 - 9  # a copy for every 40 / 4 + 1 steps, and one of the first
