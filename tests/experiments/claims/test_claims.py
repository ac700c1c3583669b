"""Every claim in the folder: fair to both sides, able to come out either way, and measured
rightly on agents whose answer is known."""

import copy
import dataclasses
import json
import math
from functools import cache

import numpy as np
import pytest
import torch

from metalocus.agents.agent import Agent, NonFinite, Stores
from metalocus.agents.catalogue import ONLINE, REFERENCES, best_reference, make_named
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import InvalidTask, Setting, make_episodes
from metalocus.experiments.claims.base import CLAIMS, SIDES, WEIGHTS
from metalocus.experiments.claims.locus_of_learning import last_shares
from metalocus.experiments.runs.build import build_policy
from metalocus.experiments.runs.named import BANDIT, CUED, REVERSAL, setting_called
from metalocus.experiments.scoring.returns import expected_returns
from metalocus.experiments.scoring.score import return_bounds, score
from metalocus.experiments.studies.presets import PRESETS

FEW = dataclasses.replace(PRESETS["smoke"], episodes=60)
SEED = 9
every_claim = pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)


@cache
def measured(name):
    """What a claim measures on networks that were never trained."""
    claim, agents = CLAIMS.find(name), {}
    few = dataclasses.replace(FEW, episodes=5)
    torch.manual_seed(0)
    for key, config in claim.runs(FEW, 0).items():
        layout = config.setting.layout
        agents[key] = TrainedAgent(build_policy(config), layout)
    return claim.measure(agents, few, SEED)


@every_claim
def test_sides_say_beforehand_what_they_expect(claim):
    assert claim.statement.endswith(".")
    assert claim.predictions
    assert {prediction.side for prediction in claim.predictions} <= set(SIDES)
    for prediction in claim.predictions:
        assert prediction.quantity in claim.quantities
        assert prediction.relation in (">=", "<=")
        assert math.isfinite(prediction.bound)
        assert prediction.says
        assert prediction.says[-1] not in ".,"
        for code in (*claim.quantities, *ONLINE, *REFERENCES):
            assert "_" not in code or code not in prediction.says, "needs no code name"
    asked = [(p.side, p.quantity, p.relation) for p in claim.predictions]
    assert len(set(asked)) == len(asked), "a side predicts the same thing twice"
    assert {p.quantity for p in claim.predictions} <= set(claim.quantities)
    assert all(claim.quantities.values())


def test_no_prediction_that_nobody_holds():
    """Of frozen weights that learn nothing, of mere responding, of all that lasts in weights."""
    for claim, quantity in (
        ("emergence", "above_wsls"),
        ("responsiveness", "cue_hidden"),
        ("locus", "lstm_weights"),
    ):
        predictions = CLAIMS.find(claim).predictions
        assert [p for p in predictions if (p.side, p.quantity) == (WEIGHTS, quantity)] == []
    assert {p.side for claim in CLAIMS.values() for p in claim.predictions} == set(SIDES)


@every_claim
def test_no_side_contradicts_itself(claim):
    """For each side there is a measurement on which all its predictions hold."""
    for side in SIDES:
        for quantity in claim.quantities:
            own = [p for p in claim.predictions if (p.side, p.quantity) == (side, quantity)]
            least = max([p.bound for p in own if p.relation == ">="], default=-math.inf)
            most = min([p.bound for p in own if p.relation == "<="], default=math.inf)
            assert least <= most


@every_claim
@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_runs_are_possible_and_differ_between_seeds(claim, preset):
    assert preset.seeds >= 2, "one seed has no interval"
    names = {}
    for seed in range(preset.seeds):
        for config in claim.runs(preset, seed).values():
            config.check()
            assert names.setdefault(config.name, seed) == seed


def test_equal_runs_of_different_claims_are_made_once():
    """Same agent, task, steps and seed: same name; anything else: another name."""
    preset, seen = PRESETS["quick"], {}
    for claim in CLAIMS.values():
        for config in claim.runs(preset, 0).values():
            assert seen.setdefault(config.name, config) == config
    assert len(seen) == len({config.to_json() for config in seen.values()})
    total = sum(len(claim.runs(preset, 0)) for claim in CLAIMS.values())
    assert len(seen) < total


@every_claim
def test_measuring_gives_every_quantity_for_its_tasks(claim):
    values = measured(claim.name)
    assert set(values) == set(claim.quantities)
    for by_task in values.values():
        assert by_task
        assert all(isinstance(v, float) and math.isfinite(v) for v in by_task.values())
    assert json.loads(json.dumps(values)) == values


@every_claim
def test_measuring_repeats_itself(claim):
    assert measured(claim.name) == measured.__wrapped__(claim.name)


def judged(claim, quantity, values):
    """Verdicts on a quantity's predictions when every task of it has the given seeds' values."""
    found = {}
    for seed, value in enumerate(values):
        found[seed] = {name: dict.fromkeys(tasks, 0.0) for name, tasks in strata(claim).items()}
        found[seed][quantity] = dict.fromkeys(strata(claim)[quantity], value)
    verdict = claim.verdict(found)
    assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict
    return [p for p in verdict["predictions"] if p["quantity"] == quantity]


def strata(claim):
    return {name: list(by_task) for name, by_task in measured(claim.name).items()}


@every_claim
def test_every_prediction_can_be_supported_and_refuted_and_left_open(claim):
    for prediction in claim.predictions:
        sign = 1.0 if prediction.relation == ">=" else -1.0
        for shift, spread, outcome in (
            (0.1, 0.001, "supported"),
            (-0.1, 0.001, "refuted"),
            (0.05, 0.2, "undecided"),
            (-0.05, 0.2, "undecided"),
        ):
            values = prediction.bound + sign * shift + spread * np.array([-1.0, 0.0, 1.0])
            for found in judged(claim, prediction.quantity, values.tolist()):
                if (found["side"], found["bound"]) != (prediction.side, prediction.bound):
                    continue
                if found["relation"] == prediction.relation:
                    assert found["verdict"] == outcome
                    assert (found["more_seeds"] == 0) == (outcome != "undecided")


@every_claim
def test_a_verdict_tells_what_was_measured(claim):
    tasks = strata(claim)
    rng = np.random.default_rng(0)
    found = {
        seed: {name: {task: rng.normal() for task in tasks[name]} for name in tasks}
        for seed in (2, 0, 1)
    }
    verdict = claim.verdict(found)
    assert verdict["claim"] == claim.name
    assert verdict["statement"] == claim.statement
    assert [p["says"] for p in verdict["predictions"]] == [p.says for p in claim.predictions]
    for name, about in claim.quantities.items():
        told = verdict["quantities"][name]
        assert told["about"] == about
        assert told["seeds"] == 3
        assert told["low"] <= told["estimate"] <= told["high"]
        for task in tasks[name]:
            assert told["values"][task] == [found[seed][name][task] for seed in (0, 1, 2)]
    assert claim.verdict(dict(sorted(found.items()))) == verdict


@every_claim
def test_what_is_not_finite_is_not_judged(claim):
    """For every quantity and setting, the message names both and the training seed."""
    for quantity, settings in strata(claim).items():
        for setting in settings:
            for bad in (math.nan, math.inf, None):
                found = {0: measured(claim.name), 1: copy.deepcopy(measured(claim.name))}
                found[1][quantity][setting] = bad
                where = f"{claim.name}: {quantity} / {setting} at training seed 1"
                with pytest.raises(NonFinite, match=where):
                    claim.verdict(found)


@every_claim
def test_settings_are_told_apart_by_name_and_not_by_their_order(claim):
    found = {0: measured(claim.name), 1: measured(claim.name)}
    turned = {name: dict(reversed(values.items())) for name, values in found[1].items()}
    assert claim.verdict({0: found[0], 1: turned}) == claim.verdict(found)


def test_an_unknown_claim_is_refused_with_those_there_are():
    with pytest.raises(InvalidTask, match="unknown claim 'truth'; choose from") as raised:
        CLAIMS.find("truth")
    assert str(raised.value).endswith(", ".join(CLAIMS))


def test_few_tasks_are_other_ones_for_every_seed():
    preset = PRESETS["quick"]
    kwargs = [preset.run("lstm", BANDIT, seed, n_tasks=1).setting.kwargs for seed in (0, 1)]
    means = [make_episodes(BANDIT.env, **each).means() for each in kwargs]
    assert (means[0] != means[1]).all()
    assert preset.run("lstm", BANDIT, 1).setting.kwargs == BANDIT.kwargs


# What the claims of the debate measure on agents whose answer is known.


def named(name, task):
    return make_named(name, task.family)


def emergence(make):
    """The claim's values with an agent in place of each of its networks."""
    agents = {"single": make("single", BANDIT)}
    for kind in ("trained", "untrained", "one-step"):
        agents |= {f"{kind}/{task.name}": make(kind, task) for task in (BANDIT, REVERSAL)}
    return CLAIMS.find("emergence").measure(agents, FEW, SEED)


def test_emergence_is_1_for_the_best_reference_and_0_for_chance():
    def make(kind, task):
        best = best_reference(task.family)
        return best if kind == "trained" else named("random", task)

    found = emergence(make)
    for task in ("bandit", "reversal"):
        assert found["score"][task] == pytest.approx(1.0)
        assert found["without_memory"][task] == pytest.approx(1.0)
        assert found["without_training"][task] == pytest.approx(1.0)
        assert 0.05 < found["above_wsls"][task] < 1.0
    assert found["without_related_tasks"] == {"bandit": pytest.approx(1.0)}
    predictions = CLAIMS.find("emergence").verdict({0: found, 1: found})["predictions"]
    assert [p["verdict"] for p in predictions] == ["supported"] * 5
    found = emergence(lambda _kind, task: named("random", task))
    assert all(value == pytest.approx(0.0) for value in found["score"].values())
    found = emergence(lambda _kind, task: named("wsls", task))
    assert all(value == 0.0 for value in found["above_wsls"].values())
    for task in (BANDIT, REVERSAL):
        chance, wsls, best = (
            expected_returns(agent, task, FEW.episodes, SEED).mean()
            for agent in (named("random", task), named("wsls", task), best_reference(task.family))
        )
        assert found["score"][task.name] == pytest.approx((wsls - chance) / (best - chance))
        assert found["score"][task.name] < 0.9, "it is not the best"


def optimal_return(horizon):
    """Of two arms with uniform probabilities, by backward induction over all that may be known.

    The value [n1, s1, s2] after n pulls, n1 of them of the first arm, with s1 and s2 successes.
    """
    value = np.zeros((horizon + 2,) * 3)
    for n in reversed(range(horizon)):
        n1, s1, s2 = np.ogrid[: n + 1, : n + 1, : n + 1]
        p1, p2 = (s1 + 1) / (n1 + 2), (s2 + 1) / (n - n1 + 2)
        won1, lost1 = value[1 : n + 2, 1 : n + 2, : n + 1], value[1 : n + 2, : n + 1, : n + 1]
        won2, lost2 = value[: n + 1, : n + 1, 1 : n + 2], value[: n + 1, : n + 1, : n + 1]
        first = p1 * (1 + won1) + (1 - p1) * lost1
        value[: n + 1, : n + 1, : n + 1] = np.maximum(first, p2 * (1 + won2) + (1 - p2) * lost2)
    return value[0, 0, 0]


def test_the_score_of_1_is_the_optimum():
    """Worked out here; chance is half of the pulls, and the better of two arms pays 2/3."""
    pulls, episodes = 50, 2000
    assert BANDIT.family.horizon == pulls
    assert optimal_return(1) == 1 / 2
    assert optimal_return(2) == pytest.approx(1 / 2 + (2 / 3 + 1 / 2) / 2)
    chance, best = return_bounds(BANDIT, episodes, SEED)
    told = expected_returns(named("oracle", BANDIT), BANDIT, episodes, SEED)
    learns = expected_returns(best_reference(BANDIT.family), BANDIT, episodes, SEED)
    assert best == pytest.approx(learns.mean())
    lost = told - learns  # varies less than what is earned
    exact = pulls * 2 / 3 - optimal_return(pulls)
    error = lost.std() / episodes**0.5
    assert abs(lost.mean() - exact) < 4 * error < exact / 5
    assert chance == pytest.approx(pulls / 2, abs=4 * pulls * 12**-0.5 / (2 * episodes) ** 0.5)


@pytest.mark.parametrize("store", ["state", "weights", "context"])
def test_locus_places_a_table_of_counts_where_it_stands(store):
    agents = {task.name: named(f"counts_in_{store}", task) for task in (BANDIT, REVERSAL)}
    found = CLAIMS.find("locus").measure(agents, FEW, SEED)
    assert found["lstm_state"]["bandit"] == pytest.approx(float(store == "state"))
    assert found["lstm_weights"]["bandit"] == pytest.approx(float(store == "weights"))
    assert found["lstm_state_context"]["bandit"] == pytest.approx(float(store != "weights"))
    assert found["online_weights"] == {"bandit": pytest.approx(1), "reversal": pytest.approx(1)}


def test_locus_on_the_reversal_task():
    agents = {task.name: best_reference(task.family) for task in (BANDIT, REVERSAL)}
    found = CLAIMS.find("locus").measure(agents, FEW, SEED)
    assert found["lstm_state"] == {"bandit": pytest.approx(1), "reversal": pytest.approx(1)}
    agents = {task.name: named("delta_rule", task) for task in (BANDIT, REVERSAL)}
    found = CLAIMS.find("locus").measure(agents, FEW, SEED)
    assert found["lstm_weights"] == found["online_weights"]


def test_locus_of_an_agent_that_knows_nothing_is_nowhere():
    assert set(last_shares(named("fixed_bias", BANDIT), BANDIT, FEW, SEED).values()) == {0.0}


def test_locus_of_an_agent_that_hides_its_knowledge_is_refused():
    with pytest.raises(InvalidTask, match="keeps knowledge outside its stores"):
        last_shares(named("leaky", BANDIT), BANDIT, FEW, SEED)


def test_parity_of_a_rule_with_itself_is_exact():
    claim = CLAIMS.find("parity_generic")
    for rule in ("delta_rule", "policy_gradient"):
        agents = {task.name: named(rule, task) for task in (BANDIT, REVERSAL)}
        assert claim.measure(agents, FEW, SEED)[rule] == {"bandit": 0.0, "reversal": 0.0}
    agents = {task.name: best_reference(task.family) for task in (BANDIT, REVERSAL)}
    found = claim.measure(agents, FEW, SEED)
    assert all(value < 0.0 for by_task in found.values() for value in by_task.values())
    agents = {task.name: named("random", task) for task in (BANDIT, REVERSAL)}
    found = claim.measure(agents, FEW, SEED)
    assert all(value > 0.2 for by_task in found.values() for value in by_task.values())


class FollowsCue(Agent):
    """Pulls the arm that is shown; carries nothing."""

    def start(self, n, rng):
        return Stores()

    def act(self, stimulus, stores):
        return stimulus.astype(float), stores


def test_responsiveness_tells_following_a_cue_from_learning():
    agents = {"agent/cued": FollowsCue(), "mlp/cued": FollowsCue()}
    agents |= {"agent/reversal": named("filter", REVERSAL)}
    agents |= {"mlp/reversal": named("random", REVERSAL)}
    found = CLAIMS.find("responsiveness").measure(agents, FEW, SEED)
    assert found == {
        "cue_shown": {"cued": 0.0},
        "cue_hidden": {"reversal": pytest.approx(1.0)},
        "held": {"cued": 0.0},
    }
    verdict = CLAIMS.find("responsiveness").verdict({0: found, 1: found})
    outcome = {(p["side"], p["quantity"]): p["verdict"] for p in verdict["predictions"]}
    assert len(outcome) == 4
    assert set(outcome.values()) == {"supported"}
    found = CLAIMS.find("responsiveness").measure(
        agents | {"mlp/cued": named("counts_in_state", CUED)}, FEW, SEED
    )
    assert abs(found["held"]["cued"]) > 0.0
    assert found["cue_shown"]["cued"] > 0.2


def test_scores_are_on_the_same_episodes_for_all():
    chance, best = return_bounds(BANDIT, 60, SEED)
    assert 20 < chance < best < 50
    oracle = score(named("oracle", BANDIT), BANDIT, 60, SEED)
    assert oracle > 1.0, "it knows what no policy can learn"
    assert return_bounds(BANDIT, 60, SEED + 1) != (chance, best)
    family = Setting(BANDIT.env, **BANDIT.kwargs, n_tasks=1, observe="reward").family
    assert (family.n_arms, family.horizon) == (2, 50)


FIVE = setting_called("metalocus/BernoulliBandit-v0", n_arms=5, horizon=8)


@every_claim
def test_a_claim_asks_of_the_agent_and_the_setting_that_it_is_given(claim):
    """On tasks where it can be asked; where not, one line says why, before anything is trained."""
    reversals = setting_called("metalocus/ReversalBandit-v0", horizon=8, hazard=0.2)
    equal = setting_called("metalocus/GaussianBandit-v0", prior_sd=0.0, horizon=4)
    for setting in (FIVE, reversals, equal):
        asked = FEW.about_agent("gru", setting)
        reason = claim.why_not(asked)
        possible = {FIVE: claim.name != "responsiveness", reversals: True, equal: False}[setting]
        assert (reason is None) == possible, (setting, reason)
        if reason is not None:
            assert len(reason.splitlines()) == 1
            continue
        runs = claim.runs(asked, 0)
        assert {config.setting.env for config in runs.values()} == {setting.env}
        assert "gru" in {config.agent for config in runs.values()}
        assert "lstm" not in {config.agent for config in runs.values()}
        agents = {}
        for key, config in runs.items():
            agents[key] = TrainedAgent(build_policy(config), config.setting.layout)
        values = claim.measure(agents, asked, SEED)
        assert values.keys() == claim.quantities.keys()
        named_settings = {name for by_setting in values.values() for name in by_setting}
        assert {name.partition("_")[0] for name in named_settings} == {setting.name}
        claim.verdict({0: values, 1: values})


def test_what_is_asked_by_default_can_be_asked():
    for claim in CLAIMS.values():
        assert claim.why_not(FEW) is None
    assert FEW.about_agent(None, None) == FEW


def test_what_cannot_be_asked_says_why():
    carries_context = FEW.about_agent("transformer", BANDIT)
    reason = CLAIMS.find("parity_constructive").why_not(carries_context)
    assert reason == "transformer is not recurrent: it carries its context"
    switching = FEW.about_agent("lstm", setting_called("binding"))
    assert "no argument 'cued'" in CLAIMS.find("responsiveness").why_not(switching)
    with pytest.raises(InvalidTask, match="unknown agent 'gruu'; did you mean 'gru'"):
        FEW.about_agent("gruu", None)


def test_a_shown_cue_is_asked_of_the_same_task_with_the_cue_hidden():
    claim = CLAIMS.find("responsiveness")
    for setting in (CUED, REVERSAL):
        runs = claim.runs(FEW.about_agent("gru", setting), 0)
        kwargs = [config.setting.kwargs for config in runs.values()]
        assert {each.get("cued", False) for each in kwargs} == {True, False}
        assert all({**each, "cued": True} == CUED.kwargs for each in kwargs)
