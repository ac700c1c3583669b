"""The carry probe: what can be learned without a store."""

import numpy as np
import pytest

from metalocus.agents.agent import STORES, Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import choose, fresh_episodes
from metalocus.envs import Setting, make_family
from metalocus.experiments.instruments.interventions import donors
from metalocus.experiments.probes.carry import Carryover
from metalocus.experiments.scoring.curves import learning_curve

BANDIT = "metalocus/BernoulliBandit-v0"
AGENTS = ("counts_in_state", "counts_in_weights", "counts_in_context", "counts_redundant")
SINGLE = {f"counts_in_{store}": store for store in STORES}


def agent(name):
    return make_named(name, make_family(BANDIT))


def curves(name, episodes=1000):
    """Learning curves by kind of replacement and stores kept."""
    return Carryover().run(agent(name), Setting(BANDIT), episodes)["kept"]


def test_sham_is_the_plain_rollout_bit_for_bit():
    for name in (*AGENTS, "counts_split", "policy_gradient", "leaky"):
        plain = learning_curve(agent(name), Setting(BANDIT), 100, 0)
        for kind, found in curves(name, 100).items():
            assert found["all"] == plain, (name, kind)


def test_only_the_store_that_holds_the_table_is_needed():
    """Another's table is as likely to name any arm; an empty one is a tie of all arms."""
    for name, holder in SINGLE.items():
        result = Carryover().run(agent(name), Setting(BANDIT), 1000)
        assert result["held"] == {store: store == holder for store in STORES}
        found = result["kept"]
        assert found["resample"].keys() == found["reset"].keys() == {"none", "all"}
        assert found["reset"]["all"]["final"] > 0.8, name
        np.testing.assert_allclose(found["reset"]["none"]["curve"], 0.0, atol=1e-12)
        lost = found["resample"]["none"]
        assert abs(lost["final"]) < 4 * lost["final_se"], name
        assert lost["final_se"] < 0.03, name


@pytest.mark.parametrize("kind", ["reset", "resample"])
def test_replaced_equals_handing_the_agent_other_stores_at_every_trial(kind):
    for name in ("counts_alternating", "counts_redundant"):
        player, episodes = agent(name), fresh_episodes(Setting(BANDIT), 100, 0)
        start = stores = player.start(100, np.random.default_rng(0))
        curve = []
        for t in range(50):
            means = episodes.means()
            other = stores.rows(donors(episodes.crn, t)) if kind == "resample" else start
            read = Stores(state=other.state, weights=stores.weights, context=stores.context)
            probs, stores = player.act(np.zeros((100, 0)), read)
            action = choose(probs, episodes.crn.uniform("policy", t))
            stores = player.learn(stores, np.zeros((100, 0)), action, episodes.step(action)[0])
            gain = (probs * means).sum(axis=1) - means.mean(axis=1)
            curve.append(gain.mean() / (means.max(axis=1) - means.mean(axis=1)).mean())
        kept = "weights" if name == "counts_redundant" else "weights+context"
        found = curves(name, 100)[kind][kept]["curve"]
        np.testing.assert_allclose(found, curve, atol=1e-12, err_msg=name)


def test_either_copy_of_a_redundant_table_suffices_if_the_other_is_empty():
    found = curves("counts_redundant", 500)["reset"]
    assert found["state"] == found["weights"] == found["all"]
    np.testing.assert_allclose(found["none"]["curve"], 0.0, atol=1e-12)


def test_another_s_copy_of_a_redundant_table_is_in_the_way():
    """The larger of two counts is no longer the episode's own."""
    found = curves("counts_redundant", 500)["resample"]
    for store in ("state", "weights"):
        assert found[store]["final"] < found["all"]["final"] - 0.1


def test_half_of_a_split_table_is_useless():
    for kind, found in curves("counts_split", 1000).items():
        assert found["all"]["final"] > 0.8
        for store in ("state", "weights"):
            assert abs(found[store]["final"]) < 0.1, (kind, store)


def test_half_of_the_evidence_gives_slower_learning():
    found = curves("counts_alternating", 1000)["reset"]
    plain = found["all"]["curve"]
    for store in ("state", "weights"):
        half = found[f"{store}+context"]["curve"]
        assert 0.1 < half[4] < plain[4] - 0.1
        assert half[-1] > 0.6


def test_nothing_replaced_reaches_knowledge_outside_the_stores():
    leaky = curves("leaky", 200)  # it declares nothing that could be replaced
    assert leaky["resample"].keys() == {"all"}
    assert leaky["reset"]["all"]["final"] > 0.8
    flagged = curves("flagged", 200)
    assert flagged["resample"]["none"] == flagged["resample"]["all"]
    np.testing.assert_allclose(flagged["reset"]["none"]["curve"], 0.0, atol=1e-12)


def test_the_sentence_names_the_store_whose_loss_costs_most():
    for name, store in (("counts_in_weights", "weights"), ("policy_gradient", "weights")):
        result = Carryover().run(agent(name), Setting(BANDIT), 200)
        assert f"with the {store} of another episode put in place" in Carryover().sentence(result)
    twice = Carryover().run(agent("counts_redundant"), Setting(BANDIT), 200)
    none = Carryover().row(twice, "final", "resample none")
    assert f"with all of another episode's put in place they end at {none}" in Carryover().sentence(
        twice
    )
    nothing = Carryover().run(agent("fixed_bias"), Setting(BANDIT), 200)
    assert "no store holds anything" in Carryover().sentence(nothing)
