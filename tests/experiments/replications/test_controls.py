"""With the right agent in place of the trained one checks pass, and fail with a wrong one."""

from dataclasses import replace

import pytest

from metalocus.agents.agent import Stores
from metalocus.agents.catalogue import best_reference, make_named
from metalocus.agents.references.memory.target import TargetMemory
from metalocus.experiments.claims.diversity import BayesOnTasks, limited, training_tasks
from metalocus.experiments.claims.double_dissociation import HATTORI
from metalocus.experiments.claims.inner_rate import EXACT, FIXED, VOLATILE, Matching
from metalocus.experiments.replications import (
    backpropamine,
    behrens_rate,
    dpt,
    harlow,
    hattori2023,
    kuo2025,
    mikulik2020,
    rainbow,
    raventos,
    wang2016,
    wang2018_two_step,
)
from metalocus.experiments.replications.base import SIZES, Outcome
from metalocus.experiments.runs.named import BANDIT, FIVE_ARMS, INFORMATIVE
from metalocus.experiments.scoring import chunks

SEED = 907


def missed(module, agents, episodes=400, part=0):
    """Quantities of a replication's checks that agents miss."""
    replication = module.REPLICATION
    chosen = replication.parts[part]
    found = chosen.measure(agents, replace(SIZES["full"], episodes=episodes), SEED)
    checks = [check for check in replication.checks if check.part == chosen.name]
    return {
        check.quantity
        for check in checks
        if check.outcome([found.get(check.quantity)]) is not Outcome.PASSED
    }


def on(setting, *names):
    """Named agents on a setting."""
    return [make_named(name, setting.family) for name in names]


def by_prior(name):
    """The rule on all arms of Wang's, the best one if there is no name; and one without reward."""
    made = {}
    for prior in wang2016.PRIORS:
        family = wang2016.arms(prior).family
        made[prior] = make_named(name, family) if name else best_reference(family)
    return {**made, "no reward": make_named("random", wang2016.arms("uniform").family)}


def test_rules_for_independent_arms_fail_where_arms_depend_on_each_other():
    assert missed(wang2016, by_prior(""), 1000) == set()
    best = {f"{wang2016.BEST_RULE}, {prior}" for prior in ("dependent", "medium", "hard")}
    assert best <= missed(wang2016, by_prior("gittins"), 1000)
    ucb = missed(wang2016, by_prior("ucb1"), 1000)
    assert best | {f"{wang2016.BEST_RULE}, easy"} <= ucb


def test_an_agent_that_sees_rewards_is_not_without_them():
    seeing = {**by_prior(""), "no reward": make_named("wsls", wang2016.arms("uniform").family)}
    assert missed(wang2016, seeing) == {"score without reward"}


def test_who_never_asks_does_not_pay_for_information():
    optimal, random = on(wang2016.INFORMATIVE, "informative_optimal", "random")
    assert missed(wang2016, {"lstm": optimal}, part=1) == set()
    assert missed(wang2016, {"lstm": random}, part=1) == {"score"}


def test_repetition_of_what_paid_is_not_model_based():
    filtering, free, sarsa = on(wang2018_two_step.TASK, "two_step_filter", "model_free", "sarsa")
    assert missed(wang2018_two_step, {"lstm": filtering}, 2000) == set()
    assert {"reward", "interaction"} <= missed(wang2018_two_step, {"lstm": free}, 2000)
    assert {"reward", "interaction"} <= missed(wang2018_two_step, {"lstm": sarsa}, 2000)


def test_a_learning_set_is_memory_and_is_learned():
    best, random = best_reference(harlow.TASK.family), make_named("random", harlow.TASK.family)
    learned = {"early": random, "late": best, "one-step memory": random}
    assert missed(harlow, learned, 2000) == set()
    assert missed(harlow, {**learned, "early": best}, 2000) == {harlow.RISE}
    assert missed(harlow, {**learned, "one-step memory": best}, 2000) == {
        "trial 2, one-step memory",
        "trial 3, one-step memory",
    }
    second = {"trial 2, late", harlow.RISE, "trial 3, late"}
    assert missed(harlow, {**learned, "late": random}, 2000) == second


def test_a_fixed_ranking_of_objects_is_told_from_a_memory_of_them_at_the_third_trial_alone():
    best, random, ranking = on(harlow.TASK, "harlow_memory", "random", "fixed_ranking")
    learned = {"early": random, "late": ranking, "one-step memory": random}
    assert missed(harlow, learned, 2000) == {"trial 3, late"}
    learned = {"early": random, "late": best, "one-step memory": ranking}
    assert missed(harlow, learned, 2000) == {"trial 2, one-step memory"}


@pytest.mark.parametrize(
    ("name", "shares"),
    [("fixed_ranking", [1, 1, 1]), ("harlow_memory", [1, 0, 1]), ("fixed_bias", [0, 1, 0])],
)
def test_a_ranking_of_objects_is_told_from_a_memory_of_them_and_from_a_habit_of_a_side(
    name, shares
):
    (agent,) = on(harlow.TASK, name)
    assert list(harlow.ranking_of(agent, 500, SEED).values()) == shares


@pytest.mark.parametrize("hazard", [None, 0.002, 0.2])
def test_no_constant_hazard_forgets_faster_where_rewards_are_volatile(hazard):
    """Of three hazards one is the best, one a sixth of it and one sixteen times as large."""
    fixed = make_named(FIXED, VOLATILE.family)
    fixed.hazard = hazard or fixed.hazard
    assert behrens_rate.FASTER in missed(behrens_rate, {"lstm": Matching(fixed)}, 200)


def test_the_exact_filter_forgets_faster_where_rewards_are_volatile():
    """Also if they choose with certainty, and not in proportion to their beliefs."""
    exact, fixed, delta = on(VOLATILE, EXACT, FIXED, "delta_rule")
    assert missed(behrens_rate, {"lstm": Matching(exact)}, 200) == {"score"}  # of matching
    assert missed(behrens_rate, {"lstm": exact}, 1000) == set()
    assert missed(behrens_rate, {"lstm": fixed}, 200) == {behrens_rate.FASTER, "score"}
    assert missed(behrens_rate, {"lstm": delta}, 200) == {behrens_rate.FASTER, "score"}


def test_the_error_of_a_kernel_is_that_of_all_chunks_and_of_no_influence_there_is_none(monkeypatch):
    exact, random = on(VOLATILE, EXACT, "random")
    name = f"{behrens_rate.FASTER}_se"
    at_once = behrens_rate.kernels(Matching(exact), VOLATILE, 60, SEED)
    monkeypatch.setattr(chunks, "CHUNK", 20)
    in_chunks = behrens_rate.kernels(Matching(exact), VOLATILE, 60, SEED)
    assert in_chunks == pytest.approx(at_once)
    nothing = behrens_rate.kernels(random, VOLATILE, 20, SEED)
    assert nothing == dict.fromkeys(at_once)
    assert at_once[name] > 0.0


def test_a_heuristic_is_not_bayes_in_structure():
    """Of the reference there is no untrained network, so that nothing is found of it."""
    optimal, wsls = on(BANDIT, "bayes_optimal", "wsls")
    untrained = {
        mikulik2020.UNTRAINED,
        "output, untrained to Bayes",
        "output, Bayes to untrained",
    }
    assert missed(mikulik2020, {"lstm": optimal}) == untrained
    outputs = {f"output, {way}" for way in (mikulik2020.THERE, mikulik2020.BACK)}
    assert missed(mikulik2020, {"lstm": wsls}) == untrained | outputs | {"score"}


def test_a_memory_of_few_tasks_is_told_from_a_learner():
    """Under the names of the training, at its tasks."""
    learner, agents = make_named("finite_index", FIVE_ARMS.family), {}
    for name in raventos.REPLICATION.parts[0].training(SEED):
        agents[name] = learner
        if name.startswith(f"{raventos.FEW}/"):
            tasks = limited(FIVE_ARMS, raventos.FEW, int(name.partition("/")[2]))
            agents[name] = BayesOnTasks(tasks.family, training_tasks(tasks))
    assert missed(raventos, agents, 200) == set()
    few = {f"nats on {where}, {raventos.FEW}" for where in ("its tasks", "new tasks")}
    assert missed(raventos, dict.fromkeys(agents, learner), 200) == {*few, raventos.LOST}
    random = make_named("random", FIVE_ARMS.family)
    assert missed(raventos, dict.fromkeys(agents, random), 200) == {
        *few,
        f"nats on new tasks, {raventos.FEW}, {raventos.UNLIMITED}",
        f"score on new tasks, {raventos.UNLIMITED}",
    }


def test_a_colour_is_not_bound_by_repeating_an_action(monkeypatch):
    best, random, wsls = (
        best_reference(rainbow.TASK.family),
        *on(rainbow.TASK, "random", "wsls"),
    )
    monkeypatch.setattr(rainbow, "recurrent_ppo", lambda steps, seed: random)
    ranking = make_named("fixed_ranking", rainbow.TASK.family)
    found = rainbow.REPLICATION.parts[0].measure({"lstm": ranking}, SIZES["smoke"], SEED)
    assert found["score, lstm"] == pytest.approx(0.5, abs=0.1)
    assert missed(rainbow, {"lstm": best, "one-step memory": wsls}) == set()
    assert missed(rainbow, {"lstm": wsls, "one-step memory": best}) == {
        "score, lstm",
        "trial 2, lstm",
        "score, one-step memory",
    }


def test_posterior_sampling_is_told_from_its_greedy_choice():
    sampler, greedy = on(FIVE_ARMS, dpt.SAMPLER, dpt.GREEDY)
    assert missed(dpt, {"dpt": sampler}) == set()
    distances = {f"distance to {dpt.SAMPLER}, {h} histories" for h in ("random", "own")}
    assert distances <= missed(dpt, {"dpt": greedy})


def test_a_dissociation_needs_an_agent_that_learns_little_early_and_much_late():
    best, wsls, random = (
        best_reference(HATTORI.family),
        make_named("wsls", HATTORI.family),
        make_named("random", HATTORI.family),
    )
    stages = {"early": wsls, "middle": best, "late": best}
    assert missed(hattori2023, stages, 40) == set()
    assert missed(hattori2023, dict.fromkeys(stages, best), 40) == {hattori2023.EARLY}
    nothing = {"activity, early", hattori2023.EARLY, hattori2023.LATE}
    assert missed(hattori2023, dict.fromkeys(stages, random), 40) == nothing


def test_who_buys_is_told_from_who_does_not():
    """Of the reference there is no state beyond the belief, with the loss or without it."""
    bayes, wsls = on(BANDIT, "bayes_optimal", "wsls")
    buys, random = on(INFORMATIVE, "informative_optimal", "random")
    names = [f"{kind}, {BANDIT.name}" for kind in ("plain", "predictive")]
    tasks = [f"{kind}, {INFORMATIVE.name}" for kind in ("plain", "predictive")]
    agents = {**dict(zip(names, (wsls, bayes), strict=True)), tasks[0]: random, tasks[1]: buys}
    scores = {f"score, {names[0]}", f"score, {tasks[0]}"}
    assert missed(kuo2025, agents, 200) == scores
    same = {**agents, tasks[0]: buys, names[0]: bayes}
    assert missed(kuo2025, same, 200) == {"nearer", f"{kuo2025.BOUGHT}, {tasks[0]}"}


class InWeights(TargetMemory):
    """The best memory of the cues, all of which it keeps in its weights."""

    def start(self, n, rng):
        return Stores(weights=super().start(n, rng).state)

    def act(self, stimulus, stores):
        chosen, after = super().act(stimulus, Stores(state=stores.weights))
        return chosen, Stores(weights=after.state)

    def learn(self, stores, stimulus, action, reward):
        after = super().learn(Stores(state=stores.weights), stimulus, action, reward)
        return Stores(weights=after.state)


@pytest.mark.parametrize("part", [0, 1])
def test_only_gated_plasticity_is_to_find_the_target(part):
    family = backpropamine.target(together=part == 1).family
    best, random = InWeights(family), make_named("random", family)
    learned = {**dict.fromkeys(backpropamine.CELLS, random), "gated": best}
    assert missed(backpropamine, learned, 100, part) == set()
    found = missed(backpropamine, dict.fromkeys(learned, best), 100, part)
    assert found == {"plain", "ungated"}
    nothing = {"gated", backpropamine.WEIGHTS} if part else {"gated"}
    assert missed(backpropamine, dict.fromkeys(learned, random), 100, part) == nothing


def test_gated_plasticity_is_to_find_the_target_by_what_it_writes():
    """Whoever remembers by activity is as often right."""
    family = backpropamine.target(together=True).family
    best, random = best_reference(family), make_named("random", family)
    learned = {**dict.fromkeys(backpropamine.CELLS, random), "gated": best}
    found = missed(backpropamine, learned, 100, part=1)
    assert found == {backpropamine.WEIGHTS, backpropamine.STATE}
