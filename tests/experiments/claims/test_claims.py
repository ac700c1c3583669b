"""Every claim in the folder: fair to both sides, able to come out either way, and measured."""

import copy
import dataclasses
import json
import math
from functools import cache

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from metalocus.agents.agent import NonFinite
from metalocus.agents.catalogue import ONLINE, REFERENCES
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import InvalidTask
from metalocus.experiments.claims.base import CLAIMS, SHOWN, SIDES, claim_called, in_order
from metalocus.experiments.claims.registered import NOWHERE
from metalocus.experiments.runs.build import build_policy
from metalocus.experiments.runs.named import BANDIT, setting_called
from metalocus.experiments.runs.possible import require_possible
from metalocus.experiments.runs.replicas import ONLINE as REPLICAS
from metalocus.experiments.runs.replicas import build_stream, replicas_agent
from metalocus.experiments.scoring.intervals import RELATIONS
from metalocus.experiments.studies.presets import PRESETS
from metalocus.experiments.studies.study import all_runs

pytestmark = pytest.mark.usefixtures("small_claims")
FEW = dataclasses.replace(PRESETS["smoke"], episodes=4, most_steps=400)
SEED = 9
SHORT = setting_called("metalocus/ReversalBandit-v0", horizon=8, hazard=0.2)
EQUAL = setting_called("metalocus/GaussianBandit-v0", prior_sd=0.0, horizon=4)
SHORTS = (
    SHORT,
    setting_called("metalocus/VolatileBandit-v1", horizon=8),
    setting_called("metalocus/BernoulliBandit-v0", n_arms=2, horizon=8),
    setting_called("metalocus/DatasetBandit-v0", n_examples=4),
)
"""Short tasks; most claims can be asked of one of them."""
every_claim = pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)


def on_untrained(claim, preset):
    """What a claim measures on networks that were never trained."""
    torch.manual_seed(0)
    runs = all_runs(claim, preset, 0, NOWHERE)
    agents = {key: untrained(config) for key, config in runs.items()}
    return claim.measure(agents, preset, SEED)


def untrained(config):
    if config.trainer == REPLICAS:
        return replicas_agent(config, build_stream(config).weights)
    return TrainedAgent(build_policy(config), config.setting.layout)


@cache
def measured(name):
    """That on the first short task that the claim can be asked of; else on the claim's own."""
    claim, shorts = CLAIMS[name], [FEW.about_agent(None, each) for each in SHORTS]
    return on_untrained(claim, next((each for each in shorts if not claim.why_not(each)), FEW))


def tasks_of(claim):
    """The tasks of every quantity."""
    return {name: list(measured(claim.name)[name]) for name in claim.quantities}


@every_claim
def test_sides_say_beforehand_what_they_expect(claim):
    assert claim.statement.endswith(".")
    assert claim.settings
    assert claim.predictions
    assert {prediction.side for prediction in claim.predictions} <= set(claim.holds) <= set(SIDES)
    assert not any(position.endswith(".") for position in claim.holds.values())
    for prediction in claim.predictions:
        assert prediction.quantity in claim.quantities
        assert prediction.relation in RELATIONS
        assert math.isfinite(prediction.bound)
        assert prediction.relation != "within" or prediction.bound > 0.0
        for words in (prediction.says, prediction.why):
            assert words
            assert words[-1] not in ".,"
        for code in (*claim.quantities, *ONLINE, *REFERENCES):
            assert "_" not in code or code not in prediction.says, "needs no code name"
    asked = [(p.side, p.quantity, p.relation) for p in claim.predictions]
    assert len(set(asked)) == len(asked), "a side predicts the same thing twice"
    assert all(claim.quantities.values())


@every_claim
def test_no_side_contradicts_itself(claim):
    """For each side there is a measurement on which all its predictions hold."""
    for side in SIDES:
        for quantity in claim.quantities:
            own = [p for p in claim.predictions if (p.side, p.quantity) == (side, quantity)]
            least = [p.bound if p.relation == ">=" else -p.bound for p in own if p.relation != "<="]
            most = [p.bound for p in own if p.relation != ">="]
            assert max(least, default=-math.inf) <= min(most, default=math.inf)


def test_claims_stand_by_number_and_are_called_by_number_or_name():
    numbers = [claim.number for claim in in_order(CLAIMS.values()) if claim.number is not None]
    assert numbers == sorted(set(numbers)), "no number twice"
    assert in_order(CLAIMS.values())[-1].number is None
    for claim in CLAIMS.values():
        assert claim_called(claim.name) is claim
        assert claim.number is None or claim_called(str(claim.number)) is claim
    for word in ("truth", "99", "None"):
        with pytest.raises(InvalidTask, match=f"unknown claim '{word}'; choose from"):
            claim_called(word)


def test_both_sides_predict_something_that_could_fail():
    found = {p.side for c in CLAIMS.values() for p in c.predictions if not p.by_construction}
    assert found == set(SIDES)


@every_claim
def test_runs_are_possible_and_differ_between_seeds(claim):
    names = {}
    for seed in (0, 1):
        for config in claim.runs(PRESETS["full"], seed).values():
            assert names.setdefault(config.name, seed) == seed
    runs = claim.runs(PRESETS["full"], 0).values()
    for config in {json.dumps({**run.to_dict(), "steps": 0}): run for run in runs}.values():
        require_possible(config)


def test_equal_runs_of_different_claims_are_made_once():
    """Same agent, task, steps and seed: same name; anything else: another name."""
    preset, seen = PRESETS["full"], {}
    for claim in CLAIMS.values():
        for config in claim.runs(preset, 0).values():
            assert seen.setdefault(config.name, config) == config
    assert len(seen) == len({config.to_json() for config in seen.values()})
    assert len(seen) < sum(len(claim.runs(preset, 0)) for claim in CLAIMS.values())


def test_every_preset_has_an_interval_and_the_larger_one_more_of_all():
    quick, full = PRESETS["quick"], PRESETS["full"]
    assert min(preset.seeds for preset in PRESETS.values()) >= 2, "one seed has no interval"
    assert quick.seeds < full.seeds
    assert quick.episodes < full.episodes
    assert quick.steps(BANDIT) < full.steps(BANDIT)


@every_claim
def test_measuring_gives_every_quantity_for_its_tasks(claim):
    values = measured(claim.name)
    assert set(values) - {SHOWN} == set(claim.quantities)
    for name in claim.quantities:
        assert values[name]
        for value in values[name].values():
            assert value is None or (isinstance(value, float) and math.isfinite(value))
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    figure = claim.drawn([values[SHOWN]] * 2) if SHOWN in values else claim.drawn([])
    assert figure is None or isinstance(figure, Figure)


def judged(claim, quantity, seeds):
    """Verdicts on a quantity's predictions when every task of it has these values."""
    found = {}
    for seed, value in enumerate(seeds):
        found[seed] = {name: dict.fromkeys(tasks, 0.0) for name, tasks in tasks_of(claim).items()}
        found[seed][quantity] = dict.fromkeys(found[seed][quantity], value)
    verdict = claim.verdict(found)
    assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict
    return [p for p in verdict["predictions"] if p["quantity"] == quantity]


@every_claim
def test_every_prediction_can_be_supported_and_refuted_and_left_open(claim):
    for place, prediction in enumerate(claim.predictions):
        size, middle = abs(prediction.bound) or 1.0, prediction.bound
        inside, outside = middle + size, middle - size
        if prediction.relation != ">=":
            inside, outside = (0.0 if prediction.relation == "within" else outside), inside
        spread = 1e-5 * size * np.array([-1.0, 0.0, 1.0])
        wide = 30 * size * np.array([-1.0, 0.0, 1.0])
        for seeds, outcome in (
            (inside + spread, "supported"),
            (outside + spread, "refuted"),
            (middle + wide, "undecided"),
        ):
            said = dataclasses.asdict(prediction).items()
            found = judged(claim, prediction.quantity, seeds.tolist())
            (own,) = (each for each in found if said <= each.items())
            assert own["verdict"] == outcome, place
            for task in own["tasks"].values():
                assert task["verdict"] == outcome
                assert (task["more_seeds"] == 0) == (outcome != "undecided")


@every_claim
def test_a_verdict_tells_what_was_measured(claim):
    rng = np.random.default_rng(0)
    found = {
        seed: {name: {task: rng.normal() for task in own} for name, own in tasks_of(claim).items()}
        for seed in (2, 0, 1)
    }
    verdict = claim.verdict(found)
    kept = {name: verdict[name] for name in ("claim", "number", "statement", "holds")}
    assert kept == {
        **{"claim": claim.name, "number": claim.number, "statement": claim.statement},
        "holds": claim.holds,
    }
    assert [p["why"] for p in verdict["predictions"]] == [p.why for p in claim.predictions]
    for name, own in tasks_of(claim).items():
        assert verdict["quantities"][name]["about"] == claim.quantities[name]
        for task in own:
            told = verdict["quantities"][name]["tasks"][task]
            assert told["values"] == [found[seed][name][task] for seed in (0, 1, 2)]
            assert told["low"] <= told["estimate"] <= told["high"]
    assert claim.verdict(dict(sorted(found.items()))) == verdict
    turned = {name: dict(reversed(own.items())) for name, own in found[1].items()}
    assert claim.verdict({**found, 1: turned}) == verdict, "tasks are told apart by name"


@every_claim
def test_what_is_not_finite_is_not_judged(claim):
    """For the last task of every quantity; the message names it and the training seed."""
    values = {name: dict.fromkeys(own, 0.5) for name, own in tasks_of(claim).items()}
    for quantity, own in values.items():
        changed = copy.deepcopy(values)
        for bad in (math.nan, math.inf):
            changed[quantity][list(own)[-1]] = bad
            where = f"{claim.name}: {quantity} / {list(own)[-1]} at training seed 1"
            with pytest.raises(NonFinite, match=where):
                claim.verdict({0: values, 1: changed})


@every_claim
def test_a_claim_asks_of_the_agent_and_the_task_that_it_is_given(claim):
    """Where it can be asked; where not, one line says why, before anything is trained."""
    assert claim.asked_on(PRESETS["full"]) == claim.settings
    assert claim.asked_on(FEW) == claim.settings[:1]
    for setting in (SHORT, EQUAL):
        asked = FEW.about_agent("gru", setting)
        reason = claim.why_not(asked)
        if reason is not None:
            assert len(reason.splitlines()) == 1
            continue
        assert setting is not EQUAL, "no score"
        agents = {config.agent for config in all_runs(claim, asked, 0, NOWHERE).values()}
        assert "lstm" not in agents
        values = on_untrained(claim, asked)
        assert set(values) - {SHOWN} == set(claim.quantities)
        assert {task for name in claim.quantities for task in values[name]} == {setting.name}


def test_an_agent_that_is_not_trained_cannot_be_asked_about():
    with pytest.raises(InvalidTask, match="unknown agent 'gruu'; did you mean 'gru'"):
        FEW.about_agent("gruu", None)
    assert FEW.about_agent(None, None) == FEW
