"""Recurrent policies rewritten as feedforward ones whose weights change: the same behaviour."""

import copy

import numpy as np
import pytest
import torch

from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.cells.rnn import PACE
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.agents.trained.rewritten import RewrittenAgent
from metalocus.envs import InvalidTask, Setting, make_episodes
from metalocus.envs.layout import DEFAULT_PARTS, PARTS, action_space, observation_space
from metalocus.experiments.probes.locus import Locus

REVERSAL, KWARGS = "metalocus/ReversalBandit-v0", {"horizon": 9, "hazard": 0.2, "cued": True}
RECURRENT = [
    name
    for name, agent in TRAINABLES.items()
    if agent.cell.carried and "context" not in agent.cell.carried.values()
]
recurrent = pytest.mark.parametrize("name", RECURRENT)


def policy_and_layout(name, observe=DEFAULT_PARTS, **kwargs):
    """Random parameters, large enough for choices to depend on what is carried."""
    layout = make_episodes(REVERSAL, observe=observe, **{**KWARGS, **kwargs}).layout
    torch.manual_seed(0)
    agent = TRAINABLES[name]
    policy = SequencePolicy(
        observation_space(layout),
        action_space(layout),
        lambda _: 0.0,
        **agent.arguments(layout),
    )
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.normal_(std=0.5)
    return policy, layout


def test_there_are_recurrent_policies_to_rewrite():
    assert {"rnn", "gru", "lstm", "hebbian", "neuromodulated", "fast_weights"} <= set(RECURRENT)


@recurrent
@pytest.mark.parametrize("observe", [PARTS, ("stimulus",)], ids=len)
def test_behaviour_is_the_same_and_nothing_but_weights_is_carried(name, observe):
    if TRAINABLES[name].from_layout:  # it tells arms apart by its inputs, and refuses fewer
        observe = PARTS
    policy, layout = policy_and_layout(name, observe)
    before, after = (
        rollout(make(policy, layout), fresh_episodes(Setting(REVERSAL, **KWARGS), 20, 0), 0)
        for make in (TrainedAgent, RewrittenAgent)
    )
    np.testing.assert_allclose(after.probs, before.probs, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(after.action, before.action)
    np.testing.assert_array_equal(after.reward, before.reward)
    for stores in (after.start, after.end):
        assert not stores.state
        assert not stores.context
        assert all(len(array) == 20 for array in stores.weights.values())
    assert after.start.digest("weights") != after.end.digest("weights")


@recurrent
def test_a_forward_pass_changes_no_weight_and_a_transition_does(name):
    agent = RewrittenAgent(*policy_and_layout(name))
    stores = agent.start(3, np.random.default_rng(0))
    before = stores.digest("weights")
    probs, same = agent.act(np.zeros((3, 2)), stores)
    assert same is stores
    after = agent.learn(stores, np.zeros((3, 2)), np.array([0, 1, 1]), np.array([1.0, 0.0, 1.0]))
    assert stores.digest("weights") == before != after.digest("weights")
    assert (agent.act(np.zeros((3, 2)), after)[0] != probs).any()


@recurrent
def test_the_probe_finds_in_the_weights_what_the_recurrent_policy_knows_elsewhere(name):
    kwargs = {**KWARGS, "cued": False}
    policy, layout = policy_and_layout(name, cued=False)
    trained, rewritten = (
        Locus([5, 8]).run(make(policy, layout), Setting(REVERSAL, **kwargs), episodes=150)
        for make in (TrainedAgent, RewrittenAgent)
    )
    assert rewritten["contained"]
    for kind in ("resample before", "reset before"):
        (value, total, share), (own, whole, part) = (
            (found["values"][kind]["all"], found["total"][kind], found["shares"][kind])
            for found in (rewritten, trained)
        )
        assert value == pytest.approx(own, abs=1e-6)
        assert share["weights"] == pytest.approx(total, abs=1e-9)
        assert total == pytest.approx(whole, abs=1e-6)
        for store in ("state", "context"):
            assert share[store] == pytest.approx([0.0, 0.0], abs=1e-9)
            assert max(map(abs, part[store])) > 1e-5


@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_the_bias_is_one_that_the_network_has(name):
    """The entries reach the network where its own bias parameter does: with W h + W_x feedback
    added to that parameter, and nothing carried in, a fresh step gives the same probabilities.
    An LSTM's memory c is a weight besides: of the forget gate, on the output."""
    policy, layout = policy_and_layout(name)
    agent = RewrittenAgent(policy, layout)
    stores, rng = agent.start(1, np.random.default_rng(0)), np.random.default_rng(1)
    for _ in range(5):
        stimulus = np.eye(2)[rng.integers(2, size=1)]
        expected, _ = agent.act(stimulus, stores)
        told, carried = agent._read(np.zeros((1, 2)), stores)
        literal = copy.deepcopy(policy)
        w_x, w_h, b_x, _ = (
            next(literal.cell.children()).parameters()
            if name == "rnn"
            else (literal.cell.layers[0].parameters())
        )
        with torch.no_grad():
            feedback = torch.from_numpy(told)[0, policy.inputs]
            w_h = w_h * (PACE if name == "rnn" else 1.0)
            b_x += w_h @ torch.from_numpy(carried.state["h"]).reshape(-1) + w_x @ feedback
            carry = literal.initial_carry(1)
            if "c" in carry:
                carry["c"] = torch.from_numpy(carried.state["c"])
            obs = torch.zeros(1, layout.size)
            obs[:, layout.slices["stimulus"]] = torch.from_numpy(stimulus).float()
            distribution, _ = literal.get_distribution(obs, carry, torch.zeros(1))
        np.testing.assert_allclose(distribution.log_probs.exp(), expected, rtol=0, atol=1e-6)
        action, reward = rng.integers(2, size=1), rng.integers(2, size=1).astype(float)
        stores = agent.learn(stores, stimulus, action, reward)


@pytest.mark.parametrize("name", ["window", "transformer"])
def test_a_policy_that_reads_its_past_again_is_refused(name):
    with pytest.raises(InvalidTask, match="not recurrent"):
        RewrittenAgent(*policy_and_layout(name))
