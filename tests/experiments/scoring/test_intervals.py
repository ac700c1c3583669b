"""Intervals over seeds: hand values, coverage by simulation, verdicts at their borders."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metalocus.agents.agent import NonFinite
from metalocus.experiments.scoring import intervals as statistics
from metalocus.experiments.scoring.intervals import (
    MOST_SEEDS,
    Interval,
    episode_interval,
    interquartile_mean,
    interval,
    judge,
    more_seeds,
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0], 3.0),
        ([1.0, 2.0, 9.0], 4.0),  # too few to cut any
        ([0.0, 1.0, 2.0, 100.0], 1.5),
        ([9.0, 0.0, 4.0, 5.0, 6.0, -50.0, 7.0, 8.0], 5.5),  # 4, 5, 6, 7 are left
    ],
)
def test_interquartile_mean_by_hand(values, expected):
    assert interquartile_mean(np.array(values)) == pytest.approx(expected)


def test_interquartile_mean_pools_all_runs_and_tasks():
    """As rliable's ``aggregate_iqm``: scipy's trimmed mean of the flattened scores."""
    values = np.random.default_rng(0).normal(size=(3, 7))
    assert interval(values).estimate == pytest.approx(stats.trim_mean(values, 0.25, axis=None))
    assert interquartile_mean(values).shape == (3,)


def test_one_outlying_seed_in_ten_hardly_moves_it():
    values = np.arange(10.0)
    spoiled = np.where(values == 9.0, 1e6, values)
    assert interquartile_mean(spoiled) == interquartile_mean(values)


def test_one_stratum_of_three_seeds_gives_students_interval():
    """Nothing is trimmed, and the bootstrap's standard error is that of the mean."""
    values = np.array([0.2, 0.5, 0.9])
    found = interval(values)
    half = stats.t.ppf(0.975, 2) * values.std(ddof=1) / np.sqrt(3)
    assert found.estimate == pytest.approx(values.mean())
    assert found.high - found.estimate == pytest.approx(half, rel=0.05)
    assert found.low + found.high == pytest.approx(2 * found.estimate)
    assert found.seeds == 3


DRAWS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "most seeds near the best": lambda rng, shape: rng.beta(8.0, 1.0, size=shape),
}
SIMULATED = 300


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize(("strata", "apart"), [(1, 0.0), (2, 3.0)])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_intervals_cover_the_true_value(monkeypatch, draw, strata, apart, seeds):
    """At least .93 at nominal .95, less 2.5 Monte Carlo standard errors of .015."""
    monkeypatch.setattr(statistics, "RESAMPLES", 200)
    rng, offset = np.random.default_rng(seeds), apart * np.arange(strata)[:, None]
    truth = interquartile_mean((DRAWS[draw](rng, (strata, 200_000)) + offset).ravel())
    found = [interval(DRAWS[draw](rng, (strata, seeds)) + offset) for _ in range(SIMULATED)]
    covered = np.mean([one.low <= truth <= one.high for one in found])
    assert covered >= 0.93 - 2.5 * np.sqrt(0.93 * 0.07 / SIMULATED)


def test_a_difference_between_strata_does_not_widen_the_interval():
    values = np.random.default_rng(3).normal(size=(2, 8))
    apart = values + np.array([[0.0], [50.0]])
    near, far = interval(values + np.array([[0.0], [5.0]])), interval(apart)
    assert far.high - far.low == pytest.approx(near.high - near.low)
    pooled = interval(apart.reshape(1, -1))
    assert pooled.high - pooled.low > 10 * (far.high - far.low)


@settings(max_examples=25)
@given(st.floats(-100, 100), st.floats(0.01, 100), st.integers(2, 6))
def test_intervals_move_and_stretch_with_the_values(shift, scale, seeds):
    values = np.random.default_rng(seeds).normal(size=(2, seeds))
    plain, moved = interval(values), interval(shift + scale * values)
    for name in ("estimate", "low", "high"):
        expected = shift + scale * getattr(plain, name)
        assert getattr(moved, name) == pytest.approx(expected, abs=1e-6)


def test_one_seed_shows_no_spread():
    with pytest.raises(ValueError, match="at least 2 training seeds, got 1"):
        interval(np.array([[0.3], [0.4]]))


@pytest.mark.parametrize(
    ("low", "high", "relation", "bound", "verdict"),
    [
        (0.6, 0.8, ">=", 0.5, "supported"),
        (0.5, 0.8, ">=", 0.5, "supported"),  # the border belongs to the region
        (0.49, 0.8, ">=", 0.5, "undecided"),
        (0.3, 0.5, ">=", 0.5, "undecided"),
        (0.3, 0.49, ">=", 0.5, "refuted"),
        (0.3, 0.4, "<=", 0.5, "supported"),
        (0.3, 0.5, "<=", 0.5, "supported"),
        (0.3, 0.51, "<=", 0.5, "undecided"),
        (0.5, 0.8, "<=", 0.5, "undecided"),
        (0.51, 0.8, "<=", 0.5, "refuted"),
        (0.5, 0.5, ">=", 0.5, "supported"),
        (0.5, 0.5, "<=", 0.5, "supported"),
    ],
)
def test_verdicts_at_their_borders(low, high, relation, bound, verdict):
    assert judge(Interval((low + high) / 2, low, high, 3), relation, bound) == verdict


def test_no_more_seeds_are_wanted_where_the_bound_is_outside_already():
    values = np.array([[0.90, 0.91, 0.92]])
    assert more_seeds(values, 0.5) == 0
    assert more_seeds(np.full((2, 3), 0.7), 0.5) == 0


def test_no_number_of_seeds_tells_a_bound_from_the_estimate_itself():
    values = np.array([[0.1, 0.5, 0.9]])
    assert more_seeds(values, 0.5) is None
    assert more_seeds(values, 0.5001) is None


def test_a_nearer_bound_wants_more_seeds():
    values = np.array([[0.1, 0.5, 0.9]])
    wanted = [more_seeds(values, bound) for bound in (0.1, 0.2, 0.3, 0.4, 0.45)]
    assert wanted == sorted(wanted)
    assert wanted[0] > 0
    assert len(set(wanted)) == 5


@settings(max_examples=40)
@given(st.integers(2, 12), st.floats(-2, 2))
def test_seeds_are_wanted_exactly_where_nothing_is_decided(seeds, bound):
    values = np.random.default_rng(seeds).normal(size=(1, seeds))
    undecided = judge(interval(values), ">=", bound) == "undecided"
    assert (more_seeds(values, bound) != 0) == undecided


def test_with_the_seeds_it_wants_the_interval_leaves_the_bound():
    """The same spread at the promised number of seeds decides, at half as many it does not."""
    values, bound = np.array([[-1.0, 0.0, 1.0]]), 0.7
    more = more_seeds(values, bound)
    reach = {
        n: stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)
        for n in (3 + more, 3 + more // 2)
    }
    assert reach[3 + more] < bound * 1.05
    assert reach[3 + more // 2] > bound
    drawn = np.random.default_rng(0).normal(size=(200, 1, 3 + more))
    decided = [judge(interval(one), ">=", -bound) == "supported" for one in drawn[:40]]
    assert 0.3 < np.mean(decided) < 0.9


def test_the_most_seeds_that_are_named():
    """``None`` begins where more than MOST_SEEDS further seeds would be needed."""
    values = np.array([[-1.0, 0.0, 1.0]])
    error = statistics.bootstrap_error(values) * np.sqrt(3)
    reach = stats.t.ppf(0.975, MOST_SEEDS + 2) * error / np.sqrt(MOST_SEEDS + 3)
    assert more_seeds(values, reach * (1 + 1e-9)) == MOST_SEEDS
    assert more_seeds(values, reach * (1 - 1e-9)) is None


def test_what_is_not_finite_is_not_averaged():
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(NonFinite, match="a value of a training seed is not finite"):
            interval([[0.1, 0.2, bad], [0.1, 0.2, 0.3]])
        with pytest.raises(NonFinite, match="the value of an episode is not finite"):
            episode_interval([0.1, bad, 0.3])


def test_episode_interval_is_the_normal_one():
    values = [1.0, 2.0, 4.0, 9.0]
    mean, low, high = episode_interval(values)
    half = 1.959964 * np.std(values, ddof=1) / 2
    assert (mean, low, high) == pytest.approx((4.0, 4.0 - half, 4.0 + half))


def test_episode_interval_covers_the_mean_of_many_episodes():
    drawn = np.random.default_rng(1).binomial(10, 0.3, size=(800, 100))
    found = [episode_interval(row) for row in drawn]
    covered = np.mean([low <= 3.0 <= high for _, low, high in found])
    assert covered == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 800))
