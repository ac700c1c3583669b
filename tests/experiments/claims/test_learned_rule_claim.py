"""Learned rules, on agents and networks whose answer is known."""

import dataclasses
import json

import pytest
import torch

from metalocus.agents.catalogue import best_reference, make_named
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.experiments.claims import learned_rule
from metalocus.experiments.claims.base import CLAIMS, SHOWN
from metalocus.experiments.claims.learned_rule import (
    GRADIENT,
    PARTS,
    SIZES,
    chosen,
    n_parameters,
    weights_hold,
    with_parts,
)
from metalocus.experiments.claims.registered import content
from metalocus.experiments.probes import decode
from metalocus.experiments.runs.build import build_policy
from metalocus.experiments.runs.named import setting_called
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import PRESETS

pytestmark = pytest.mark.usefixtures("small_claims")

TASK = setting_called("metalocus/BernoulliBandit-v0", n_arms=2, horizon=12)
CLAIM = CLAIMS.find("learned_rule")
FEW = dataclasses.replace(PRESETS["smoke"], episodes=60, setting=TASK)
SEED = 9


def named(name):
    return make_named(name, TASK.family)


def network(name=GRADIENT, **kwargs):
    torch.manual_seed(0)
    config = PRESETS["smoke"].run(name, TASK, 0, part=0.0, agent_kwargs=kwargs)
    return TrainedAgent(build_policy(config), config.setting.layout)


def without_steps(agent):
    """A network whose step sizes are 0, so that it learns nothing."""
    still = with_parts(agent, agent, ())
    with torch.no_grad():
        for scale in still.policy.cell.scales:
            scale.fill_(-100.0)
    return still


def measured(**kinds):
    """The claim's quantities; whatever is not given chooses at random."""
    keys = {name.partition("/")[0] for name in CLAIM.runs(FEW, 0)}
    keys |= {f"distilled {size}" for size in learned_rule.SIZES}
    agents = dict.fromkeys(keys, named("random"))
    agents |= {GRADIENT: network(), "twin": network()}
    agents |= {kind.replace("_", " "): agent for kind, agent in kinds.items()}
    values = CLAIM.measure({f"{k}/{TASK.name}": a for k, a in agents.items()}, FEW, SEED)
    return {name: by_task[TASK.name] for name, by_task in values.items() if name != SHOWN}


@pytest.fixture
def nothing_decoded(monkeypatch):
    """Scores alone are measured."""
    nothing = dict.fromkeys(("held", "held_more", "directions"))
    monkeypatch.setattr(learned_rule, "weights_hold", lambda *_: nothing)


@pytest.mark.usefixtures("nothing_decoded")
def test_scores_are_compared_with_the_agent_of_the_same_steps_or_with_the_one_imitated():
    best, chance, wsls = best_reference(TASK.family), named("random"), named("wsls")
    middle = score(wsls, TASK, 60, SEED)
    for kinds, quantity, value in (
        ({"rule_of_5": best, "early": chance}, "learned", 1.0),
        ({"rule_of_5": best, "early": wsls, "agent": best}, "learned", 1.0 - middle),
        ({"distilled_132": wsls, "agent": best, "early": chance}, "distilled", middle - 1.0),
        ({"distilled_132": best, "agent": best}, "distilled", 0.0),
        ({"distilled_5": chance, "agent": best}, "distilled_few", -1.0),
    ):
        assert measured(**kinds)[quantity] == pytest.approx(value), (kinds, quantity)


def test_the_best_rule_is_chosen_on_other_episodes_than_it_is_reported_on(monkeypatch):
    played = []

    def watched(agent, setting, episodes, seed):
        played.append((episodes, seed))
        return score(agent, setting, 60, SEED)  # in place of the mean return

    monkeypatch.setattr(learned_rule, "expected_returns", lambda *a: torch.tensor(watched(*a)))
    rules = {"one": named("random"), "two": named("greedy"), "three": named("wsls")}
    assert chosen(rules, TASK, SEED) == "two"
    assert set(played) == {(learned_rule.CHOOSING, 10_000 + 7000 + SEED)}


def test_weights_that_hold_the_means_are_told_from_those_that_hold_nothing(monkeypatch):
    monkeypatch.setattr(decode, "FIT_EPISODES", 300)
    found = weights_hold(named("means_in_weights"), TASK, 200, SEED)
    assert found["held"] > 0.99
    assert found["held_more"] is None, "there is no network"
    assert found["directions"] <= 1.5, "two means and their sum, for two arms"
    nothing = {"held": None, "held_more": None, "directions": None}
    assert weights_hold(named("counts_in_state"), TASK, 200, SEED) == nothing
    own = weights_hold(network(), TASK, 200, SEED)
    assert own["held"] > 0.9
    assert own["held_more"] == pytest.approx(0.0, abs=0.01), "it is the untrained one"
    still = weights_hold(without_steps(network()), TASK, 200, SEED)
    assert still["held"] == pytest.approx(0.0, abs=0.05)
    assert still["held_more"] == pytest.approx(-own["held"], abs=0.05)


@pytest.mark.usefixtures("nothing_decoded")
def test_parts_of_another_network():
    own = network()
    still = without_steps(own)
    assert score(own, TASK, 60, SEED) > 0.5
    found = measured(**{GRADIENT: own, "twin": own})
    assert (found["other_rates"], found["other_start"]) == (0.0, 0.0), "its own parts"
    chance = score(with_parts(own, still, PARTS["rates"]), TASK, 60, SEED)
    assert chance == pytest.approx(0.0, abs=0.05), "nothing is learned without steps"
    assert score(with_parts(own, still, PARTS["start"]), TASK, 60, SEED) == score(
        own, TASK, 60, SEED
    )
    cell = own.policy.cell
    names = {name.partition(".")[0] for name, _ in cell.named_parameters()}
    assert names == {"cold", *PARTS["rates"], *PARTS["start"]}


def test_rules_have_the_sizes_that_they_are_shown_at():
    for size, kwargs in SIZES.items():
        run = PRESETS["smoke"].run("learned_rule", TASK, 0, agent_kwargs=kwargs)
        assert n_parameters(run) == size


def test_what_is_imitated_is_the_fully_trained_agent(tmp_path):
    preset = PRESETS["full"]
    runs = CLAIM.runs(preset, 3)
    (later,) = CLAIM.later_runs(preset, 3, tmp_path)
    for name, run in later.items():
        task = name.partition("/")[2]
        assert run.train_kwargs["reference"] == str(tmp_path / runs[f"agent/{task}"].name)
    told = content(CLAIM)["training"]
    assert told["distilled 5/bandit"]["train_kwargs"]["reference"] == "the run agent/bandit"
    assert json.dumps(told).count("not-trained-yet") == 0
