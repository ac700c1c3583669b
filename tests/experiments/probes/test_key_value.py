"""The key_value probe on a key set by hand and on networks that have learned nothing."""

import numpy as np
import pytest

from metalocus.agents.catalogue import make_named
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.layout import action_space, observation_space
from metalocus.experiments.probes.key_value import KEYS, KeyValue, _histories, _layers
from metalocus.experiments.scoring.chunks import Chunk

BANDIT = Setting("metalocus/BernoulliBandit-v0", n_arms=3, horizon=12)


def network(name):
    layout = BANDIT.layout
    arguments = TRAINABLES.find(name).arguments(layout)
    policy = SequencePolicy(
        observation_space(layout), action_space(layout), lambda _: 0.0, **arguments
    )
    return TrainedAgent(policy, layout)


def test_a_planted_key_is_found_with_what_excites_it_and_what_it_writes():
    """Its action has odds of e^3 to 2 where it is excited, and 1 to 2 elsewhere."""
    result = KeyValue().run(make_named("planted_key", BANDIT.family), BANDIT, 400)
    (key,) = result["means"]
    assert key == "layer 1 unit 1"
    assert result["means"][key] == "after action 0 paid and writes action 0"
    excited = np.exp(3.0) / (np.exp(3.0) + 2.0)
    assert result["excited"][key] == pytest.approx(excited, abs=1e-3)
    assert result["alike"][key] == 1.0
    assert result["predicted"][key] == pytest.approx(1.0, abs=1e-6)
    share = (result["everywhere"][key] - 1 / 3) / (excited - 1 / 3)  # of excited histories
    assert 0.1 < share < 0.7
    assert result["rise"]["trained"] == pytest.approx(excited - result["everywhere"][key], abs=1e-3)


def test_keys_of_an_untrained_network_write_next_to_nothing():
    result = KeyValue().run(network("transformer"), BANDIT, 60)
    assert len(result["means"]) == KEYS
    assert abs(result["rise"]["trained"]) < 0.01
    assert abs(result["rise"]["untrained"]) < 0.01


def test_every_layer_is_read():
    """Two perceptrons and the head of a transformer, one head of a recurrent network."""
    for name, layers in (
        ("transformer", ["layer 1", "layer 2", "head"]),
        ("mlp_feedback", ["layer 1", "layer 2", "head"]),
        ("lstm", ["head"]),
    ):
        agent = network(name)
        assert [label for label, _ in _layers(agent)] == layers
        seen = _histories(agent, Chunk(BANDIT, 0, 0, 5), effects=True)
        assert len(seen) == 8
        for each in seen:
            assert [units.shape for units in each.units] == [(5, 64)] * len(layers)
            assert [effects.shape for effects in each.effects] == [(3, 5, 64)] * len(layers)


def test_effects_are_slopes_of_the_log_probabilities():
    """Of the head they are its output's weights, less their mean under the policy."""
    agent = network("lstm")
    agent.policy.action_net.weight.data.normal_()
    for each in _histories(agent, Chunk(BANDIT, 0, 0, 5), effects=True):
        weights = agent.policy.action_net.weight.detach().numpy()
        expected = weights[:, None] - each.probs @ weights
        np.testing.assert_allclose(each.effects[0], expected, atol=1e-5)


def test_agents_without_a_network_are_refused():
    for name in ("fixed_bias", "thompson"):
        with pytest.raises(InvalidTask, match=r"feed-forward layers of .*; it has none"):
            KeyValue().run(make_named(name, BANDIT.family), BANDIT, 10)
