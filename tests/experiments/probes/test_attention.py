"""Scores and edits of attention heads."""

import numpy as np
import pytest
import torch

from metalocus.agents.catalogue import make_named
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import Setting
from metalocus.envs.layout import action_space, observation_space
from metalocus.experiments.instruments.attention import (
    Heads,
    duplicate_token,
    head_score,
    heads_of,
    prefix_matching,
    previous_token,
)

CUES = Setting("metalocus/CueBinding-v0", cues="fixed", n_cues=3, n_arms=2, horizon=9)


@pytest.fixture(scope="module", params=["transformer", "transformer_smeared"])
def heads(request):
    """Random weights, which tell every mistake apart."""
    layout = CUES.layout
    arguments = TRAINABLES.find(request.param).arguments(layout)
    spaces = observation_space(layout), action_space(layout)
    policy = SequencePolicy(*spaces, lambda _: 0.0, **arguments)
    torch.manual_seed(0)
    for weights in policy.parameters():
        torch.nn.init.normal_(weights, std=0.2)
    return Heads(TrainedAgent(policy, layout))


def test_scores_are_those_of_transformer_lens():
    """Its 4.3.0, ``compute_head_attention_similarity_score`` with the measure ``mul``."""
    rng = np.random.default_rng(0)
    tokens, scores = rng.integers(4, size=12), rng.normal(size=(12, 12))
    attention = np.exp(scores) * np.tril(np.ones((12, 12)))
    attention /= attention.sum(axis=1, keepdims=True)
    for pattern, theirs in (
        (previous_token, 0.15748631631214255),
        (duplicate_token, 0.1488980245395922),
        (prefix_matching, 0.10115357663465831),
    ):
        ours = head_score(attention, pattern(tokens[None])[0])
        assert ours == pytest.approx(theirs, rel=1e-12), pattern.__name__


def test_patterns_by_their_words():
    tokens = np.array([[0, 1, 0, 0, 2, 1]])
    for pattern, of in (
        (previous_token, lambda i, j: j == i - 1),
        (duplicate_token, lambda i, j: j < i and tokens[0, i] == tokens[0, j]),
        (prefix_matching, lambda i, j: 0 < j <= i and tokens[0, i] == tokens[0, j - 1]),
    ):
        expected = [[float(of(i, j)) for j in range(6)] for i in range(6)]
        np.testing.assert_array_equal(pattern(tokens)[0], expected)


def test_what_heads_write_adds_up_and_can_be_replaced(heads):
    x = torch.randn(9, 4, heads.policy.features_dim)
    plain, given = heads.run(x)
    streams = heads.cell.activations(x, torch.eye(9, 4)[:, :1].repeat(1, 4)).residual
    for layer, block in enumerate(heads.blocks):
        written = sum(heads.written(given, head) for head in heads.all if head[0] == layer)
        change = (streams[2 * layer + 1] - streams[2 * layer]).transpose(0, 1)
        torch.testing.assert_close(written + block.out.bias, change, rtol=0, atol=1e-4)
    nothing = torch.zeros_like(heads.written(given, (0, 0)))
    np.testing.assert_array_equal(heads.run(x, {0: nothing})[0], plain)
    others = heads.written(given, (1, 0))[[1, 2, 3, 0]] - heads.written(given, (1, 0))
    swapped, _ = heads.run(x, {1: others})
    assert np.abs(swapped - plain).max() > 1e-4
    rest = sum(heads.written(given, (1, head)) for head in range(2))
    only, _ = heads.run(x, {1: -rest})
    block = heads.blocks[1]
    middle = streams[2].transpose(0, 1) + block.out.bias
    last = (middle + block.perceptron(middle)).transpose(0, 1).flatten(0, 1)
    expected = heads.policy.read_out(last, last)[0].log_probs.exp().detach().numpy()
    np.testing.assert_allclose(only.reshape(expected.shape), expected, atol=1e-5)


def test_keys_of_an_unchanged_stream_give_the_head_s_attention(heads):
    x = torch.randn(9, 4, heads.policy.features_dim)
    attention = heads.attention(x)
    for layer, which in heads.all:
        change = torch.zeros(4, 9, heads.cell.output_size)
        found = heads.attention_with_keys_of(x, (layer, which), change)
        np.testing.assert_allclose(found, attention[layer, :, which], atol=1e-5)


def test_only_a_transformer_has_heads():
    assert heads_of(make_named("fixed_bias", CUES.family)) is None
    assert len(heads_of(make_named("induction_head", CUES.family)).all) == 4
