"""The carry probe: what can be learned without a store."""

import numpy as np
import pytest

from metalocus.agents.agent import STORES, Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import choose, fresh_episodes
from metalocus.envs import Setting, make_family
from metalocus.experiments.probes.carry import Carryover
from metalocus.experiments.scoring.curves import learning_curve

BANDIT = "metalocus/BernoulliBandit-v0"
AGENTS = ("counts_in_state", "counts_in_weights", "counts_in_context", "counts_redundant")
SINGLE = {f"counts_in_{store}": store for store in STORES}


def agent(name):
    return make_named(name, make_family(BANDIT))


def curves(name, episodes=1000):
    return Carryover().run(agent(name), Setting(BANDIT), episodes)["kept"]


@pytest.mark.parametrize("name", [*AGENTS, "counts_split", "policy_gradient", "leaky"])
def test_sham_is_the_plain_rollout_bit_for_bit(name):
    plain = learning_curve(agent(name), Setting(BANDIT), 100, 0)
    assert curves(name, 100)["all"] == plain


@pytest.mark.parametrize(("name", "holder"), SINGLE.items())
def test_only_the_store_that_holds_the_table_is_needed(name, holder):
    found = curves(name, 500)
    assert len(found) == 8
    for kept, curve in found.items():
        if holder in kept or kept == "all":
            assert curve == found["all"]
            assert curve["final"] > 0.8
        else:
            np.testing.assert_allclose(curve["curve"], 0.0, atol=1e-12)


@pytest.mark.parametrize("name", ["counts_alternating", "counts_redundant", "policy_gradient"])
def test_restored_equals_handing_the_agent_its_first_store_at_every_trial(name):
    player, episodes = agent(name), fresh_episodes(Setting(BANDIT), 100, 0)
    start = stores = player.start(100, np.random.default_rng(0))
    curve = []
    for t in range(50):
        means = episodes.means()
        read = Stores(state=start.state, weights=stores.weights, context=stores.context)
        probs, stores = player.act(np.zeros((100, 0)), read)
        action = choose(probs, episodes.crn.uniform("policy", t))
        stores = player.learn(stores, np.zeros((100, 0)), action, episodes.step(action)[0])
        gain = (probs * means).sum(axis=1) - means.mean(axis=1)
        curve.append(gain.mean() / (means.max(axis=1) - means.mean(axis=1)).mean())
    np.testing.assert_allclose(curves(name, 100)["weights+context"]["curve"], curve, atol=1e-12)


def test_either_copy_of_a_redundant_table_suffices():
    found = curves("counts_redundant", 500)
    assert found["state+context"] == found["weights+context"] == found["all"]
    np.testing.assert_allclose(found["context"]["curve"], 0.0, atol=1e-12)


def test_half_of_a_split_table_is_useless():
    found = curves("counts_split", 1000)
    assert found["all"]["final"] > 0.8
    for store in ("state", "weights"):
        assert abs(found[f"{store}+context"]["final"]) < 0.1


def test_half_of_the_evidence_gives_slower_learning():
    found = curves("counts_alternating", 1000)
    plain = found["all"]["curve"]
    for store in ("state", "weights"):
        half = found[f"{store}+context"]["curve"]
        assert 0.1 < half[4] < plain[4] - 0.1
        assert half[-1] > 0.6


def test_nothing_restored_reaches_knowledge_outside_the_stores():
    found = curves("leaky", 200)
    assert all(curve == found["all"] for curve in found.values())
    assert found["none"]["final"] > 0.8
