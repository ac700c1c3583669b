"""Emergence, locus, responsiveness and the apparatus, on agents whose answer is known."""

import dataclasses

import pytest
import torch

import metalocus
from metalocus.agents.agent import Agent, Stores
from metalocus.agents.catalogue import best_reference, make_named
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.agents.trained.rewritten import RewrittenAgent
from metalocus.envs import InvalidTask
from metalocus.experiments.claims.apparatus import SAME, greatest_difference
from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.claims.emergence import best_simple
from metalocus.experiments.claims.fixed_point import HELD
from metalocus.experiments.claims.locus import ALIKE, last_shares
from metalocus.experiments.claims.responsiveness import shown_and_hidden
from metalocus.experiments.runs.build import build_policy
from metalocus.experiments.runs.named import CUED, REVERSAL, RULES, setting_called
from metalocus.experiments.studies.presets import PRESETS

pytestmark = pytest.mark.usefixtures("small_claims")

TASK = setting_called("metalocus/ReversalBandit-v0", p=0.8, hazard=0.05, horizon=20)
ARMS = setting_called("metalocus/BernoulliBandit-v0", n_arms=2, horizon=12)
SEED = 9


def few(setting):
    return dataclasses.replace(PRESETS["smoke"], episodes=60, setting=setting)


def named(name, task=TASK):
    return make_named(name, task.family)


def network(name, task, seed=0):
    """An untrained network whose choices depend on what it carries."""
    torch.manual_seed(seed)
    config = PRESETS["smoke"].run(name, task, 0, part=0.0)
    policy = build_policy(config)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.normal_(std=0.5)
    return TrainedAgent(policy, config.setting.layout)


def emergence(**kinds):
    agents = {f"{kind.replace('_', '-')}/{TASK.name}": agent for kind, agent in kinds.items()}
    found = CLAIMS.find("emergence").measure(agents, few(TASK), SEED)
    return {name: by_task[TASK.name] for name, by_task in found.items()}


def test_emergence_is_1_for_the_best_reference_and_0_for_chance():
    chance, best = named("random"), best_reference(TASK.family)
    found = emergence(trained=best, untrained=chance, one_task=chance, one_step=chance)
    for name in ("score", "without_memory", "without_training", "without_related_tasks"):
        assert found[name] == pytest.approx(1.0), name
    assert 0.0 < found["above_simple"] < 0.5
    found = emergence(trained=chance, untrained=best, one_task=best, one_step=best)
    assert found["score"] == pytest.approx(0.0)
    assert found["without_memory"] == pytest.approx(-1.0)


def test_the_best_simple_rule_is_the_best_of_those_that_can_play():
    own = emergence(
        **dict.fromkeys(("trained", "untrained", "one_task", "one_step"), named("wsls"))
    )
    assert own["score"] < best_simple(TASK, 60, SEED), "there is a better one"
    assert own["above_simple"] == pytest.approx(own["score"] - best_simple(TASK, 60, SEED))
    assert own["without_memory"] == 0.0


def test_locus_places_a_table_of_counts_where_it_stands():
    claim = CLAIMS.find("locus")
    for store, share in (("state", 1.0), ("weights", 0.0), ("context", 0.0)):
        agents = {ARMS.name: named(f"counts_in_{store}", ARMS)}
        found = claim.measure(agents, few(ARMS), SEED)
        headline = found["resample_before"][ARMS.name]
        assert headline == pytest.approx(share, abs=0.05), store


def test_locus_of_an_agent_that_knows_nothing_is_no_number():
    shares = last_shares(named("fixed_bias", ARMS), ARMS, 60, SEED)
    assert {each for stores in shares.values() for each in stores.values()} == {None}


def test_with_an_equal_last_trial_all_is_in_the_state_of_a_recurrent_network():
    """So that these kinds check the apparatus and find nothing."""
    agent = metalocus.shipped("lstm", "reversal")
    shares = last_shares(agent, TASK, 200, SEED, (*ALIKE, "resample"))
    alike = [shares[f"{kind} {cut}"]["state"] for kind in ALIKE for cut in ("before", "after")]
    found = [each for each in alike if each is not None]
    assert found == pytest.approx([1.0] * len(found))
    assert len(found) >= 2
    assert abs(shares["resample before"]["state"] - 1.0) > 0.05, "another trial shows the context"
    claim = CLAIMS["locus"]
    checks = {each.quantity for each in claim.predictions if each.by_construction}
    assert {f"{kind}_before" for kind in ALIKE} <= checks
    assert "resample_before" not in checks


def test_locus_of_an_agent_that_hides_its_knowledge_is_refused():
    with pytest.raises(InvalidTask, match="keeps knowledge outside its stores"):
        last_shares(named("leaky", ARMS), ARMS, 60, SEED)


@pytest.mark.parametrize(("clone", "numbers"), [("filter", True), ("random", False)])
def test_what_rl_makes_of_a_clone_says_something_only_if_it_holds_the_reference(clone, numbers):
    claim = CLAIMS["fixed_point"]
    kinds = {"clone": clone, "stays": "wsls", "found": "filter"}
    agents = {f"{kind}/{TASK.name}": named(name) for kind, name in kinds.items()}
    values = {
        name: each[TASK.name] for name, each in claim.measure(agents, few(TASK), SEED).items()
    }
    assert (values["clone"] >= HELD) == numbers
    assert (values["stays"] is not None) == (values["found"] is not None) == numbers
    if numbers:
        assert values["found"] == 0.0
        assert values["stays"] < -0.1


class FollowsCue(Agent):
    """Pulls the arm that is shown; carries nothing."""

    def start(self, n, rng):
        return Stores()

    def act(self, stimulus, stores):
        return stimulus.astype(float), stores


def test_responsiveness_tells_following_a_cue_from_learning():
    shown, hidden = shown_and_hidden(TASK)
    agents = {f"agent/{shown.name}": FollowsCue(), f"memoryless/{shown.name}": FollowsCue()}
    agents |= {f"agent/{hidden.name}": best_reference(hidden.family)}
    agents |= {f"memoryless/{hidden.name}": named("random")}
    found = CLAIMS.find("responsiveness").measure(agents, few(TASK), SEED)
    assert found["cue_shown"] == {TASK.name: 0.0}
    assert found["cue_hidden"] == {TASK.name: pytest.approx(1.0)}
    agents[f"memoryless/{shown.name}"] = named("random", shown)
    assert CLAIMS.find("responsiveness").measure(agents, few(TASK), SEED)["cue_shown"] == {
        TASK.name: pytest.approx(1.0, abs=0.05)
    }


def test_a_shown_and_a_hidden_cue_differ_in_the_cue_alone():
    for setting in (REVERSAL, CUED, RULES, TASK):
        shown, hidden = shown_and_hidden(setting)
        assert shown.kwargs["cued"] is True
        assert not hidden.kwargs.get("cued")
        assert {**hidden.kwargs, "cued": True} == shown.kwargs
    assert shown_and_hidden(REVERSAL) == (CUED, REVERSAL)
    few_arms = dataclasses.replace(PRESETS["smoke"], setting=ARMS)
    assert "no argument 'cued'" in CLAIMS.find("responsiveness").why_not(few_arms)


def test_the_store_changes_and_the_behaviour_does_not():
    agents = {ARMS.name: network("lstm", ARMS)}
    found = CLAIMS.find("apparatus").measure(agents, few(ARMS), SEED)
    assert 0.0 <= found["difference"][ARMS.name] <= SAME
    assert abs(found["score"][ARMS.name]) <= SAME
    for store in ("state", "weights", "context"):
        assert found[f"hand_wired_{store}"][ARMS.name] == pytest.approx(1.0, abs=0.05)


def test_a_difference_would_be_seen():
    agent, other = network("lstm", ARMS), network("lstm", ARMS)
    with torch.no_grad():
        other.policy.action_net.bias[0] += 1e-4
    shadows = [RewrittenAgent(each.policy, each.layout) for each in (agent, other)]
    same, apart = (greatest_difference(agent, shadow, ARMS, 20, SEED) for shadow in shadows)
    assert same <= SAME < apart < 1e-4


def test_the_apparatus_cannot_be_asked_of_what_carries_its_context():
    asked = few(ARMS).about_agent("transformer", ARMS)
    reason = CLAIMS.find("apparatus").why_not(asked)
    assert reason == "transformer is not recurrent: it carries its context"
