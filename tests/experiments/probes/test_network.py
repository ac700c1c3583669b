"""The probes on recurrent and memoryless networks, whatever they have learned."""

import json

import numpy as np
import pytest
import torch

from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import Setting, make_episodes
from metalocus.envs.layout import action_space, observation_space
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.probes.carry import Carryover
from metalocus.experiments.probes.freeze import Freeze
from metalocus.experiments.probes.locus import Locus
from metalocus.experiments.scoring.curves import learning_curve

BANDIT, KWARGS = "metalocus/BernoulliBandit-v0", {"n_arms": 2, "horizon": 12}


def network(cell, sees=None):
    """Random parameters, large enough for choices to depend on what is carried."""
    layout = make_episodes(BANDIT, **KWARGS).layout
    torch.manual_seed(0)
    policy = SequencePolicy(
        observation_space(layout),
        action_space(layout),
        lambda _: 0.0,
        cell=cell,
        inputs=None if sees is None else layout.indices(sees),
    )
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.normal_()
    return TrainedAgent(policy, layout)


AGENTS = {
    "recurrent": lambda: network("lstm"),
    "recurrent, blind": lambda: network("lstm", ()),
    "memoryless": lambda: network("mlp"),
    "memoryless, blind": lambda: network("mlp", ()),
}


@pytest.mark.parametrize("probe", ["carry", "freeze", "locus", "optimality"])
@pytest.mark.parametrize("name", AGENTS)
def test_every_probe_works_with_a_network(quick, probe, name):
    result = PROBES[probe]().run(AGENTS[name](), Setting(BANDIT, **KWARGS), episodes=16)
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize("name", AGENTS)
def test_doing_nothing_is_the_plain_rollout_bit_for_bit(name):
    plain = learning_curve(AGENTS[name](), Setting(BANDIT, **KWARGS), 64, 0)
    carried = Carryover().run(AGENTS[name](), Setting(BANDIT, **KWARGS), 64)["kept"]
    locus = Locus([4, 11]).run(AGENTS[name](), Setting(BANDIT, **KWARGS), 64)
    assert carried["resample"]["all"] == carried["reset"]["all"] == plain
    assert locus["curve"] == plain["curve"]
    assert locus["values"]["reset before"]["all"] == [plain["curve"][4], plain["curve"][11]]


def test_only_what_a_network_carries_or_sees_again_can_matter():
    """A recurrent network that is shown nothing carries the time alone, as all episodes do."""
    for name, resampled, were_reset in (
        ("recurrent", {"state", "context"}, {"state", "context"}),
        ("recurrent, blind", set(), {"state"}),
        ("memoryless", {"context"}, {"context"}),
        ("memoryless, blind", set(), set()),
    ):
        found = Locus([11]).run(AGENTS[name](), Setting(BANDIT, **KWARGS), 500)
        assert found["contained"]
        assert found["leak"] == [0.0]
        for kind, holders in (("resample", resampled), ("reset", were_reset)):
            for store, share in found["shares"][f"{kind} before"].items():
                assert (abs(share[0]) > 1e-6) == (store in holders), (name, kind, store)


def test_a_network_s_weights_change_only_where_they_are_updating(quick):
    found = Freeze().run(AGENTS["recurrent"](), Setting(BANDIT, **KWARGS), 32)["kept"]
    for name, condition in found.items():
        assert condition["weights_changed"] == (name.split()[0] in ("all", "weights+context"))
        assert not condition["parameters_changed"]


def test_lesion_of_the_context_is_being_told_that_the_episode_begins():
    agent = AGENTS["memoryless"]()
    start = agent.start(100, np.random.default_rng(0))
    first, _ = agent.act(np.zeros((100, 0)), start)
    found = Locus([7]).run(agent, Setting(BANDIT, **KWARGS), 100)
    trace = rollout(agent, fresh_episodes(Setting(BANDIT, **KWARGS), 100, 0), 0)
    chance, best = trace.means[7].mean(), trace.means[7].max(axis=1).mean()
    value = ((first * trace.means[7]).sum(axis=1).mean() - chance) / (best - chance)
    assert found["values"]["reset before"]["state+weights"][0] == pytest.approx(value)
