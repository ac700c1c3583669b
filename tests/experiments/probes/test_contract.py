"""What holds for every probe, and the scale that all of them measure on."""

import json

import numpy as np
import pytest

from metalocus.agents.catalogue import CONTROLS, ONLINE, REFERENCES, make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting, make_family
from metalocus.experiments.probes.base import PROBES, Restore
from metalocus.experiments.scoring.curves import (
    choice_bounds,
    learning_curve,
    normalised,
    number,
    numbers,
    standard_error,
)

BANDIT = "metalocus/BernoulliBandit-v0"
REVERSAL = "metalocus/ReversalBandit-v0"
MINE = ("carry", "freeze", "locus", "optimality")
NAMED = [*REFERENCES, *ONLINE, *CONTROLS]


def test_probes_are_found_by_their_files():
    assert set(MINE) <= set(PROBES)
    for name, probe in PROBES.items():
        assert probe.name == name
        assert probe.question.endswith("?")


@pytest.mark.parametrize("probe", MINE)
@pytest.mark.parametrize(
    ("env_id", "env_kwargs"),
    [(BANDIT, {"n_arms": 3, "horizon": 6}), (REVERSAL, {"horizon": 6, "cued": True})],
)
def test_every_probe_works_with_every_agent(probe, env_id, env_kwargs):
    family = make_family(env_id, **env_kwargs)
    for name in NAMED:
        try:
            agent = make_named(name, family)
        except InvalidTask:
            continue
        result = PROBES[probe]().run(agent, Setting(env_id, **env_kwargs), episodes=8, seed=1)
        json.dumps(result, allow_nan=False)
        assert result["probe"] == probe
        assert (result["env"], result["env_kwargs"]) == (env_id, env_kwargs)
        assert (result["episodes"], result["seed"]) == (8, 1)


@pytest.mark.parametrize("probe", MINE)
@pytest.mark.parametrize("name", ["counts_split", "policy_gradient", "thompson", "leaky"])
def test_a_probe_repeats_itself_and_varies_with_the_seed(probe, name):
    runs = [
        PROBES[probe]().run(
            make_named(name, make_family(BANDIT, horizon=6)), Setting(BANDIT, horizon=6), 20, seed
        )
        for seed in (0, 0, 1)
    ]
    assert runs[0] == runs[1]
    assert {**runs[2], "seed": 0} != runs[0]


def test_restoring_puts_back_the_named_stores_alone():
    agent = make_named("counts_redundant", make_family(BANDIT))
    start, reads = agent.start(5, np.random.default_rng(0)), {}
    restore = Restore(["weights"])

    def intervene(t, stores):
        reads[t] = restore(t, stores)
        return reads[t]

    rollout(agent, fresh_episodes(Setting(BANDIT), 5, 0), 0, intervene=intervene)
    assert all(read.digest("weights") == start.digest("weights") for read in reads.values())
    assert all(read.state["table"].sum() == 5 * t for t, read in reads.items())


def test_score_is_0_for_chance_and_1_for_the_best_arm():
    means = np.random.default_rng(0).random((4, 30, 3))
    chance, best = choice_bounds(means)
    np.testing.assert_allclose(chance, means.sum(axis=2) / 3)
    for value, score in ((chance, 0.0), (best, 1.0), ((chance + best) / 2, 0.5)):
        np.testing.assert_allclose(normalised(value, chance, best)[0], score, atol=1e-12)


def test_score_averages_before_it_divides():
    chance, best = np.array([0.5, 0.5]), np.array([0.5, 0.9])  # nothing to gain in the first
    score, deviation = normalised(np.array([0.5, 0.7]), chance, best)
    assert score == pytest.approx(0.5)
    np.testing.assert_allclose(deviation.mean(), 0.0, atol=1e-12)


def test_score_is_no_number_where_all_arms_are_equal():
    half = np.full((2, 5), 0.5)
    score, deviation = normalised(half, half, half)
    assert np.isnan(score).all()
    assert numbers(score) == [None, None]
    assert number(standard_error(deviation)[0]) is None


def test_standard_error_of_a_score_is_that_of_repeated_draws():
    rng = np.random.default_rng(0)
    chance = rng.random((2000, 400))
    best = chance + rng.exponential(1.0, chance.shape)
    value = chance + (best - chance) * rng.random(chance.shape)
    score, deviation = normalised(value, chance, best)
    assert standard_error(deviation).mean() == pytest.approx(score.std(), rel=0.05)


def test_final_score_is_that_of_the_last_quarter():
    trace = rollout(
        make_named("counts_in_state", make_family(BANDIT, horizon=20)),
        fresh_episodes(Setting(BANDIT, horizon=20), 50, 0),
    )
    chance, best = trace.means.mean(axis=2), trace.means.max(axis=2)
    gain, gap = (trace.value - chance)[15:].mean(), (best - chance)[15:].mean()
    assert learning_curve(trace)["final"] == pytest.approx(gain / gap)
