"""The constructive claim, on networks large enough for choices to depend on what is carried."""

import dataclasses

import numpy as np
import pytest
import torch

from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.agents.trained.rewritten import RewrittenAgent
from metalocus.envs import InvalidTask
from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.claims.parity_constructive import greatest_difference
from metalocus.experiments.runs.build import build_policy
from metalocus.experiments.runs.named import BANDIT, REVERSAL
from metalocus.experiments.studies.presets import PRESETS

FEW = dataclasses.replace(PRESETS["smoke"], episodes=30)
SEED = 9


def network(name, task, seed=0):
    torch.manual_seed(seed)
    steps = {**FEW.steps, name: 0}
    config = dataclasses.replace(FEW, steps=steps).run(name, task, 0)
    policy = build_policy(config)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.normal_(std=0.5)
    return TrainedAgent(policy, config.setting.layout)


def test_the_store_changes_and_the_behaviour_does_not():
    agents = {task.name: network("lstm", task) for task in (BANDIT, REVERSAL)}
    found = CLAIMS.find("parity_constructive").measure(agents, FEW, SEED)
    for task in (BANDIT, REVERSAL):
        assert 0.0 <= found["difference"][task.name] <= 1e-6
        assert abs(found["score"][task.name]) <= 1e-6
        assert found["lstm_weights"][task.name] == pytest.approx(0.0)


def test_knowledge_is_found_in_the_weights_where_there_is_any():
    """A network of random parameters may know too little at the last trial to be divided."""
    agents = {task.name: network("rnn", task, seed=1) for task in (BANDIT, REVERSAL)}
    found = CLAIMS.find("parity_constructive").measure(agents, FEW, SEED)
    shares = np.array(list(found["rewritten_weights"].values()))
    assert (np.isclose(shares, 1.0) | (shares == 0.0)).all()
    assert shares.any()


def test_a_difference_would_be_seen():
    agent, other = network("lstm", BANDIT), network("lstm", BANDIT)
    with torch.no_grad():
        other.policy.action_net.bias[0] += 1e-4
    shadows = [RewrittenAgent(each.policy, each.layout) for each in (agent, other)]
    same, apart = (greatest_difference(agent, shadow, BANDIT, 20, SEED) for shadow in shadows)
    assert same <= 1e-6
    assert 1e-6 < apart < 1e-4


def test_an_agent_that_carries_its_context_has_no_such_form():
    agents = {task.name: network("transformer", task) for task in (BANDIT, REVERSAL)}
    with pytest.raises(InvalidTask, match="not recurrent"):
        CLAIMS.find("parity_constructive").measure(agents, FEW, SEED)
