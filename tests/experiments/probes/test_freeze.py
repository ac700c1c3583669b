"""The freeze probe: the double dissociation, and the proof that frozen was frozen."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from metalocus.agents.agent import Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.online.policy_gradient import PolicyGradient
from metalocus.agents.rollout import TUNING_SEED, fresh_episodes, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.agents.trained.test_time import UpdatingAgent
from metalocus.envs import Setting, make_episodes, make_family
from metalocus.experiments.probes import freeze
from metalocus.experiments.probes.carry import Carryover
from metalocus.experiments.probes.freeze import CALLED, RATES, Freeze
from metalocus.experiments.runs.build import build_policy
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.scoring.curves import learning_curve

BANDIT = "metalocus/BernoulliBandit-v0"
SHORT = {"horizon": 12}
CONDITIONS = set(CALLED)
UPDATING = {name for name in CALLED if name.split()[0] in ("all", "weights+context")}
STATE_KEPT = {"all", "state+context"}
RESET = {name for name in CALLED if name.endswith("reset")}


def conditions(agent, episodes=1000):
    return Freeze().run(agent, Setting(BANDIT), episodes)["kept"]


def named(name):
    return make_named(name, make_family(BANDIT))


def improves(found):
    """The conditions under which the score rises well above its beginning."""
    return {name for name, curve in found.items() if curve["final"] > curve["curve"][0] + 0.3}


LEARNS = {
    "policy_gradient": UPDATING,
    "delta_rule": UPDATING,
    "counts_in_weights": UPDATING,
    "counts_in_state": STATE_KEPT,
    "counts_in_context": CONDITIONS,
    "counts_redundant": CONDITIONS - {"context resample", "context reset"},
    "counts_split": {"all"},
    "fixed_bias": set(),
    "random": set(),
    # its state is only a flag, which another episode has too; its start has not
    "flagged": CONDITIONS - RESET,
}


def test_each_agent_learns_only_where_its_store_is_left_alone():
    for name, learns in LEARNS.items():
        found = conditions(named(name), 500)
        assert set(found) == CONDITIONS
        assert improves(found) == learns, name


def test_updating_at_rate_0_improves_nothing():
    still = PolicyGradient(make_family(BANDIT))
    still = PolicyGradient(still.family, replace(still.settings, rate=0.0))
    found = conditions(still)
    assert improves(found) == set()
    for curve in found.values():
        np.testing.assert_allclose(curve["curve"], 0.0, atol=1e-12)


def test_digests_prove_what_was_frozen_and_what_changed():
    agent = named("policy_gradient")
    start = agent.start(50, np.random.default_rng(0)).digest("weights")[: freeze.DIGITS]
    for name, found in conditions(agent, 50).items():
        assert found["weights_first"] == start
        assert found["weights_changed"] == (name in UPDATING)
        assert (found["weights_last"] == start) == (name not in UPDATING)


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
    empty = Stores().digest("weights")[: freeze.DIGITS]
    assert {curve["parameters_before"] for curve in still.values()} == {empty}


@pytest.mark.parametrize("name", ["counts_split", "delta_rule", "leaky"])
def test_updating_and_kept_is_the_plain_rollout_bit_for_bit(name):
    plain = learning_curve(named(name), Setting(BANDIT), 100, 0)
    found = conditions(named(name), 100)["all"]
    assert {key: found[key] for key in plain} == plain


def test_freezing_is_carrying_without_the_weights():
    """Two probes, one intervention: the curves are those of ``carry``."""
    carried = Carryover().run(named("counts_split"), Setting(BANDIT), 100)["kept"]
    frozen = conditions(named("counts_split"), 100)
    for kind in ("resample", "reset"):  # this agent carries no context, so none is named
        for name, kept in (("all", "all"), (f"weights+context {kind}", "weights")):
            assert frozen[name]["curve"] == carried[kind][kept]["curve"]
    assert frozen["state+context"]["curve"] == carried["reset"]["state"]["curve"]
    assert frozen["context reset"]["curve"] == carried["reset"]["none"]["curve"]


# Trained agents, which are given a rule.


def network(name, std=None):
    """A policy as it is before training, or with random parameters large enough to matter."""
    torch.manual_seed(0)
    policy = build_policy(RunConfig.suited(Setting(BANDIT), name, 0))
    if std is not None:
        with torch.no_grad():
            for parameter in policy.parameters():
                parameter.normal_(std=std)
    return TrainedAgent(policy, make_episodes(BANDIT).layout)


def test_a_memoryless_policy_learns_only_where_its_weights_are_left_alone(quick):
    found = Freeze().run(network("mlp"), Setting(BANDIT, horizon=24), 200)["kept"]
    assert improves(found) == UPDATING
    for name, curve in found.items():
        assert curve["weights_changed"] == (name in UPDATING)
        assert not curve["parameters_changed"]


@pytest.mark.parametrize("name", ["lstm", "fast_weights", "transformer"])
def test_frozen_is_the_trained_agent_whose_weights_are_restored(quick, name):
    agent = network(name, std=0.5)
    frozen, carried = (
        probe.run(agent, Setting(BANDIT, **SHORT), 50) for probe in (Freeze(), Carryover())
    )
    found, plain = frozen["kept"], carried["kept"]["reset"]
    stores = [store for store, holds in carried["held"].items() if holds]
    for name, kept in (("state+context", ("state", "context")), ("context reset", ("context",))):
        left = "+".join(store for store in stores if store in kept)
        same = plain["all" if len(left.split("+")) == len(stores) else left]
        assert found[name]["curve"] == same["curve"]
    assert found["all"]["curve"] != plain["all"]["curve"]


def test_rate_0_is_the_negative_control():
    agent = network("lstm", std=0.5)
    still = UpdatingAgent(agent.policy, agent.layout, 0.0)
    result = Freeze().run(still, Setting(BANDIT, **SHORT), 50)
    assert result["rate"] == {"all": 0.0, "weights+context": 0.0}
    assert "tried" not in result
    for updating, frozen in (
        ("all", "state+context"),
        ("weights+context resample", "context resample"),
        ("weights+context reset", "context reset"),
    ):
        assert result["kept"][updating] == result["kept"][frozen]
        assert not result["kept"][updating]["weights_changed"]


def test_the_rate_is_the_best_on_other_episodes_than_those_reported(monkeypatch):
    monkeypatch.setattr(freeze, "TUNING_EPISODES", 20)
    agent = network("lstm", std=0.5)
    result = Freeze().run(agent, Setting(BANDIT, **SHORT), 20, seed=3)
    for kept in ("all", "weights+context"):
        tried = result["tried"][kept]
        assert list(tried) == [f"{rate:g}" for rate in (0.0, *RATES)]
        best = max(RATES, key=lambda rate: tried[f"{rate:g}"])
        assert result["rate"][kept] == best
        again = Carryover().run(
            UpdatingAgent(agent.policy, agent.layout, best), Setting(BANDIT, **SHORT), 20, seed=3
        )["kept"]["resample"][kept]
        name = "all" if kept == "all" else f"{kept} resample"
        assert again["curve"] == result["kept"][name]["curve"]
    tuning = fresh_episodes(Setting(BANDIT, **SHORT), freeze.TUNING_EPISODES, TUNING_SEED + 3)
    frozen = rollout(agent, tuning, 3).value.mean()
    assert result["tried"]["all"]["0"] == pytest.approx(frozen, abs=1e-12)
    assert not set(tuning.keys) & set(fresh_episodes(Setting(BANDIT, **SHORT), 4000, 3).keys)


def test_gradient_steps_in_the_weights_are_a_rule_of_their_own():
    """Even before training: its first step sizes are those of a value table.

    Frozen it still takes the step of the last transition, from the first weights: it repeats
    a success, and gets no better.
    """
    config = RunConfig.suited(Setting(BANDIT, **SHORT), "maml_value", 0)
    agent = TrainedAgent(build_policy(config), make_episodes(BANDIT, **SHORT).layout)
    found = Freeze().run(agent, Setting(BANDIT, **SHORT), 1000)
    assert "rate" not in found
    later = {name: each["final"] - each["curve"][1] for name, each in found["kept"].items()}
    assert all((gain > 0.1) == (name in UPDATING) for name, gain in later.items()), later
    changed = {name: each["weights_changed"] for name, each in found["kept"].items()}
    assert changed == {name: (name in UPDATING) for name in CONDITIONS}
    assert not any(each["parameters_changed"] for each in found["kept"].values())
