"""The freeze probe: the double dissociation, and the proof that frozen was frozen."""

from dataclasses import replace

import numpy as np
import pytest

from metalocus.agents.agent import Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.online.policy_gradient import PolicyGradient
from metalocus.envs import make_family
from metalocus.experiments.probe import learning_curve
from metalocus.experiments.probes.carry import Carry
from metalocus.experiments.probes.freeze import Freeze
from metalocus.experiments.rollout import fresh_episodes, rollout

BANDIT = "metalocus/BernoulliBandit-v0"
CONDITIONS = {"updating+kept", "updating+reset", "frozen+kept", "frozen+reset"}


def conditions(agent, episodes=1000):
    return Freeze().run(agent, BANDIT, {}, episodes)["conditions"]


def named(name):
    return make_named(name, make_family(BANDIT))


def improves(found):
    """The conditions under which the score rises well above its beginning."""
    return {name for name, curve in found.items() if curve["final"] > curve["curve"][0] + 0.3}


@pytest.mark.parametrize(
    ("name", "learns"),
    [
        ("policy_gradient", {"updating+kept", "updating+reset"}),
        ("delta_rule", {"updating+kept", "updating+reset"}),
        ("counts_in_weights", {"updating+kept", "updating+reset"}),
        ("counts_in_state", {"updating+kept", "frozen+kept"}),
        ("counts_in_context", CONDITIONS),
        ("counts_redundant", CONDITIONS - {"frozen+reset"}),
        ("counts_split", {"updating+kept"}),
        ("fixed_bias", set()),
        ("random", set()),
    ],
)
def test_each_agent_learns_only_where_its_store_is_left_alone(name, learns):
    found = conditions(named(name))
    assert set(found) == CONDITIONS
    assert improves(found) == learns


def test_updating_at_rate_0_improves_nothing():
    still = PolicyGradient(make_family(BANDIT))
    still = PolicyGradient(still.family, replace(still.settings, rate=0.0))
    found = conditions(still)
    assert improves(found) == set()
    for curve in found.values():
        np.testing.assert_allclose(curve["curve"], 0.0, atol=1e-12)


def test_digests_prove_what_was_frozen_and_what_changed():
    agent = named("policy_gradient")
    start = agent.start(50, np.random.default_rng(0)).digest("weights")
    for name, found in conditions(agent, 50).items():
        assert found["weights_first"] == start
        assert found["weights_changed"] == name.startswith("updating")
        assert (found["weights_last"] == start) == name.startswith("frozen")


class Drifting(PolicyGradient):
    """Breaks the rule that trained parameters are constant: they move at every act."""

    name = "drifting"
    steps = 0

    def act(self, stimulus, stores):
        self.steps += 1
        return super().act(stimulus, stores)

    def parameters(self):
        return {"steps": np.array(self.steps)}


def test_a_change_of_the_trained_parameters_is_reported():
    found = conditions(Drifting(make_family(BANDIT)), 20)
    assert all(curve["parameters_changed"] for curve in found.values())
    still = conditions(named("policy_gradient"), 20)
    assert not any(curve["parameters_changed"] for curve in still.values())
    empty = Stores().digest("weights")
    assert {curve["parameters_before"] for curve in still.values()} == {empty}


@pytest.mark.parametrize("name", ["counts_split", "delta_rule", "leaky"])
def test_updating_and_kept_is_the_plain_rollout_bit_for_bit(name):
    plain = learning_curve(rollout(named(name), fresh_episodes(BANDIT, 100, 0), 0))
    found = conditions(named(name), 100)["updating+kept"]
    assert {key: found[key] for key in plain} == plain


def test_freezing_is_carrying_without_the_weights():
    """Two probes, one intervention: the curves are those of ``carry``."""
    carried = Carry().run(named("counts_split"), BANDIT, {}, 100)["restored"]
    frozen = conditions(named("counts_split"), 100)
    for condition, restored in (
        ("frozen+kept", "weights"),
        ("updating+reset", "state"),
        ("frozen+reset", "state+weights"),
    ):
        assert frozen[condition]["curve"] == carried[restored]["curve"]
