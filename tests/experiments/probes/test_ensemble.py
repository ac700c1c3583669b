"""The ensemble probe: errors given the same history, disagreement, and the learner that asks."""

import json
from functools import cache

import numpy as np
import pytest

from metalocus.agents.agent import best_arms
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.instruments.posterior import entropy, matching, sampler, tempered
from metalocus.experiments.probes import ensemble
from metalocus.experiments.probes.ensemble import (
    BEYOND,
    ITSELF,
    MEMBERS,
    OWN,
    SAME,
    SAMPLER,
    Ensemble,
)
from metalocus.experiments.probes.measure import companions
from metalocus.experiments.runs.subject import find_subject

BANDIT = Setting("metalocus/BernoulliBandit-v0", n_arms=5, horizon=30)
TWO = Setting("metalocus/BernoulliBandit-v0", horizon=12)


def agents(*names, setting=BANDIT):
    return [make_named(name, setting.family) for name in names]


@cache
def found(*names, setting=BANDIT, episodes=300):
    first, *others = agents(*names, setting=setting)
    return Ensemble(others).run(first, setting, episodes, 0)


def near(result, quantity, label, value):
    """Within four standard errors: rate 6e-5."""
    error = result[f"{quantity}_se"][label]
    return abs(result[quantity][label] - value) < 4 * error + 1e-9


# Positive.


def test_copies_err_together():
    result = found("lapses_one", "lapses_one", "lapses_one")
    for label in (SAME, BEYOND, OWN):
        assert result["correlation"][label] == pytest.approx(1.0), label
    assert result["asked"]["3"] == pytest.approx(0.0, abs=1e-12)
    assert result["unsafe"]["3"] == pytest.approx(result["unsafe"]["1"])
    assert result["differ"][MEMBERS] == pytest.approx(result["differ"][ITSELF])


def test_half_of_the_errors_in_common_correlate_by_a_half():
    result = found("half_common_one", "half_common_two")
    assert near(result, "correlation", SAME, 0.5)
    assert result["correlation_se"][SAME] < 0.02


# Negative, and what must not fool it: shared tasks and luck.


def test_errors_that_have_nothing_in_common_correlate_on_their_own_histories_alone():
    """A lapse is any of five arms: below the best one with probability 4/5 of a fifth."""
    result = found("lapses_one", "lapses_two", "lapses_three")
    assert abs(result["correlation"][SAME]) < 0.02
    assert abs(result["correlation"][BEYOND]) < 0.02
    assert result["correlation"][OWN] > 0.2
    assert result["error"]["agent 2"] == pytest.approx(0.16, abs=0.02)  # fewer where arms tie
    assert result["unsafe"]["3"] < 0.1 * result["unsafe"]["1"]
    assert result["asked"]["2"] < result["asked"]["3"]


def test_histories_that_are_hard_for_all_are_told_apart():
    """Samplers of two kinds and an index policy err where arms are nearly equal, and no more."""
    result = found("thompson", "optimistic_thompson", "ucb1")
    assert result["correlation"][SAME] > 0.2
    assert abs(result["correlation"][BEYOND]) < 0.1


# The parts.


def watched(names, episodes):
    """Errors [T, n, N] and probabilities [T, n, N, K] on the first agent's history."""
    first, *others = agents(*names)
    reference = make_named("finite_index", BANDIT.family)
    errors, probs = [], []

    def observe(trial):
        each = np.stack([trial.probs, *(p for p, _ in trial.shadows[:-1])])
        best = best_arms(trial.shadows[-1][0])
        errors.append((each * ~best).sum(axis=2))
        probs.append(each)

    rollout(
        first, fresh_episodes(BANDIT, episodes, 0), 0, shadows=[*others, reference], observe=observe
    )
    return np.stack(errors), np.stack(probs)


def test_numbers_are_those_of_plain_formulas():
    names = ("wsls", "counts_in_state", "rescorla_wagner")
    result = found(*names, episodes=200)
    assert result["reference"] == "finite_index"
    errors, probs = watched(names, 200)

    def correlation(errors):
        cov = sum(np.cov(each, bias=True) for each in errors)
        return (cov.sum() - np.trace(cov)) / 2 / np.trace(cov)

    assert result["correlation"][SAME] == pytest.approx(correlation(errors))
    left_out = [correlation(np.delete(errors, i, axis=2)) for i in range(200)]
    jackknife = np.sqrt(199 * np.var(left_out))
    assert result["correlation_se"][SAME] == pytest.approx(jackknife, rel=0.1)
    pairs = [
        1.0 - (probs[:, i] * probs[:, j]).sum(axis=2).mean() for i, j in ((0, 1), (0, 2), (1, 2))
    ]
    assert result["differ"][MEMBERS] == pytest.approx(np.mean(pairs))
    assert result["differ"][ITSELF] == pytest.approx(1.0 - (probs**2).sum(axis=3).mean())
    lowest = probs[:, :2].min(axis=1).sum(axis=2)
    assert result["asked"]["2"] == pytest.approx(1.0 - lowest.mean())
    product = errors.mean(axis=2).prod(axis=1).mean()
    assert result["independent"]["3"] == pytest.approx(product)
    assert result["error"]["agent 3"] == pytest.approx(errors[:, 2].mean())


def test_a_posterior_sampler_disagrees_as_one_of_its_entropy_and_where_it_does():
    result = found("thompson", "thompson")
    assert result["differ"][SAMPLER] == pytest.approx(result["differ"][MEMBERS], abs=1e-6)
    assert result["where"][MEMBERS] == pytest.approx(1.0, abs=1e-6)
    assert result["correlation"][BEYOND] is None  # nothing is left of the errors


def test_two_fixed_policies_act_together_as_the_lesser_probability_says():
    """Two arms at 2/3 and 1/3, and at a half each: 1/2 + 1/3 in common."""
    result = found("fixed_bias", "random", setting=TWO, episodes=100)
    assert result["asked"] == {"1": pytest.approx(0.0), "2": pytest.approx(1 / 6)}
    assert result["differ"][MEMBERS] == pytest.approx(0.5)


def test_only_choices_that_pay_are_counted():
    """Examples are shown one a trial before the query, and whatever is done there pays nothing."""
    setting = Setting("metalocus/DatasetBandit-v0", n_arms=3, n_examples=4, sequence=True)
    result = found("posterior", "random", setting=setting, episodes=200)
    episodes = fresh_episodes(setting, 200, 0)
    (*_, probs) = rollout(make_named("posterior", setting.family), episodes).probs
    missed = 1.0 - best_arms(probs).sum(axis=1).mean() / 3
    assert result["trials"] == [4]
    assert result["error"] == {"agent 1": 0.0, "agent 2": pytest.approx(missed)}
    assert result["asked"]["2"] == pytest.approx(missed)
    assert len(result["disagreement"][MEMBERS]) == 1


def test_a_power_gives_the_entropy_that_is_wanted():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(5), size=200)
    for exponent in (0.3, 1.0, 4.0):
        wanted = entropy(tempered(probs, exponent)).mean()
        assert matching(probs, wanted) == pytest.approx(exponent, rel=1e-6)
    assert tempered(np.array([[0.0, 0.5, 0.5]]), 3.0).tolist() == [[0.0, 0.5, 0.5]]
    assert sampler(Setting("metalocus/TwoStep-v0").family) is None


def test_errors_that_never_vary_have_no_correlation():
    """On one trial there is one history."""
    short = Setting("metalocus/BernoulliBandit-v0", horizon=1)
    result = found("fixed_bias", "random", setting=short, episodes=20)
    assert result["correlation"][SAME] is None
    assert "none correlate" in Ensemble().sentence(result)


@pytest.mark.parametrize("chunk", [1, 40])
def test_chunks_do_not_show(monkeypatch, chunk):
    first, *others = agents("wsls", "lapses_one", setting=TWO)
    monkeypatch.setattr(ensemble, "FIT_EPISODES", 20)
    whole = Ensemble(others).run(first, TWO, 41, 0)
    assert json.loads(json.dumps(whole, allow_nan=False)) == whole
    monkeypatch.setattr("metalocus.experiments.scoring.chunks.CHUNK", chunk)
    parts = Ensemble(others).run(first, TWO, 41, 0)
    for label, value in whole["correlation"].items():
        assert parts["correlation"][label] == pytest.approx(value, abs=1e-9), label
        error = whole["correlation_se"][label]
        assert parts["correlation_se"][label] == pytest.approx(error, abs=1e-9), label


# What is refused.


def test_what_cannot_be_compared_is_refused_in_one_line():
    one, oracle = agents("wsls", "oracle", setting=TWO)
    with pytest.raises(InvalidTask, match="--others"):
        Ensemble().run(one, TWO, 10)
    with pytest.raises(InvalidTask, match="told the best arm"):
        Ensemble([oracle]).run(one, TWO, 10)
    other = find_subject("wsls", BANDIT)
    assert [type(each) for each in companions(["wsls"], BANDIT)] == [type(other.agent)]
    with pytest.raises(InvalidTask, match="binding_memory cannot play"):
        companions(["binding_memory"], TWO)


def test_a_run_of_another_setting_is_no_companion(run):
    setting = find_subject(run).setting
    assert len(companions([str(run)], setting)) == 1
    with pytest.raises(WrongUse, match="the first agent of"):
        companions([str(run)], BANDIT)


def test_agents_of_another_number_of_arms_are_refused_in_one_line():
    four = Setting("metalocus/BernoulliBandit-v0", n_arms=4, horizon=5)
    agent, other = (make_named("counts_split", each.family) for each in (four, TWO))
    with pytest.raises(InvalidTask, match="different numbers of actions"):
        Ensemble([other]).run(agent, four, 2)
