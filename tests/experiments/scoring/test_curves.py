"""Choice values: their scale, their error, and the curve of an episode."""

import numpy as np
import pytest

from metalocus.agents.agent import NonFinite
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting
from metalocus.experiments.probes.locus import Locus
from metalocus.experiments.scoring import chunks
from metalocus.experiments.scoring.curves import (
    choice_bounds,
    choice_value,
    learning_curve,
    number,
    numbers,
)

BANDIT = Setting("metalocus/BernoulliBandit-v0", horizon=20)
EQUAL = Setting("metalocus/GaussianBandit-v0", prior_sd=0.0, horizon=4, n_arms=3)


def counting():
    return make_named("counts_in_state", BANDIT.family)


def standard_error(deviation):
    return deviation.std(axis=-1) / np.sqrt(deviation.shape[-1])


def test_choice_value_is_0_for_chance_and_1_for_the_best_arm():
    means = np.random.default_rng(0).random((4, 30, 3))
    chance, best = choice_bounds(means)
    np.testing.assert_allclose(chance, means.sum(axis=2) / 3)
    for value, expected in ((chance, 0.0), (best, 1.0), ((chance + best) / 2, 0.5)):
        np.testing.assert_allclose(choice_value(value, chance, best)[0], expected, atol=1e-12)


def test_choice_value_averages_before_it_divides():
    chance, best = np.array([0.5, 0.5]), np.array([0.5, 0.9])  # nothing to gain in the first
    found, deviation = choice_value(np.array([0.5, 0.7]), chance, best)
    assert found == pytest.approx(0.5)
    np.testing.assert_allclose(deviation.mean(), 0.0, atol=1e-12)


def test_choice_value_is_no_number_where_all_arms_are_equal():
    half = np.full((2, 5), 0.5)
    found, deviation = choice_value(half, half, half)
    assert np.isnan(found).all()
    assert numbers(found) == [None, None]
    assert number(standard_error(deviation)[0]) is None


def test_arms_that_differ_by_rounding_alone_are_equal_in_any_chunks(monkeypatch):
    equal = np.full((2, 6, 3), 0.7)
    chance, best = choice_bounds(equal)
    assert (best > chance).all()  # by 1e-16: the mean of three times 0.7 is another number
    assert np.isnan(choice_value(best, chance, best)[0]).all()
    player = make_named("random", EQUAL.family)
    for chunk in (2000, 7, 1):
        monkeypatch.setattr(chunks, "CHUNK", chunk)
        found = learning_curve(player, EQUAL, 30, 0)
        assert (found["curve"], found["final"]) == ([None] * 4, None), chunk
        assert Locus([2]).run(player, EQUAL, 30)["leak"] == [None], chunk


def test_standard_error_of_a_choice_value_is_that_of_repeated_draws():
    rng = np.random.default_rng(0)
    chance = rng.random((2000, 400))
    best = chance + rng.exponential(1.0, chance.shape)
    value = chance + (best - chance) * rng.random(chance.shape)
    found, deviation = choice_value(value, chance, best)
    assert standard_error(deviation).mean() == pytest.approx(found.std(), rel=0.05)


def test_the_curve_is_the_gain_over_the_gap_and_final_that_of_the_last_quarter():
    trace = rollout(counting(), fresh_episodes(BANDIT, 50, 0))
    chance, best = trace.means.mean(axis=2), trace.means.max(axis=2)
    gain, gap = trace.value - chance, best - chance
    found = learning_curve(counting(), BANDIT, 50, 0)
    np.testing.assert_allclose(found["curve"], gain.mean(axis=1) / gap.mean(axis=1), rtol=1e-12)
    assert found["final"] == pytest.approx(gain[15:].mean() / gap[15:].mean())
    deviation = gain - np.array(found["curve"])[:, None] * gap
    error = deviation.std(axis=1) / gap.mean(axis=1) / np.sqrt(50)
    np.testing.assert_allclose(found["curve_se"], error, rtol=1e-12)


def test_the_curve_does_not_depend_on_the_chunks(monkeypatch):
    whole = learning_curve(counting(), BANDIT, 30, 0)
    for chunk in (1, 7, 29):
        monkeypatch.setattr(chunks, "CHUNK", chunk)
        found = learning_curve(counting(), BANDIT, 30, 0)
        for name, value in whole.items():
            np.testing.assert_allclose(found[name], value, atol=1e-12, err_msg=f"{name} {chunk}")


def test_only_what_does_not_exist_is_none():
    assert number(0.25) == 0.25
    assert type(number(np.float32(0.25))) is float
    assert number(float("nan")) is None
    for wrong in (np.inf, -np.inf):
        with pytest.raises(NonFinite, match="infinite"):
            number(wrong)
