"""Intervals over seeds: hand values, coverage by simulation, families of tests, more seeds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metalocus.agents.agent import NonFinite
from metalocus.experiments.scoring.intervals import (
    MOST_SEEDS,
    POWER,
    episode_interval,
    holm,
    interval,
    more_seeds,
    tails,
)

RNG_DRAWS = {
    "normal": (lambda rng, shape: rng.normal(size=shape), 0.0, (0.94, 0.96)),
    "most seeds near the best": (
        lambda rng, shape: rng.beta(8, 1, size=shape),
        8 / 9,
        (0.88, 0.93),
    ),
}


def test_interval_by_hand():
    found = interval([0.2, 0.5, 0.9])
    half = 4.302653 * np.std([0.2, 0.5, 0.9], ddof=1) / np.sqrt(3)  # t of 2 degrees of freedom
    assert found.estimate == pytest.approx(1.6 / 3)
    assert (found.low, found.high) == pytest.approx((1.6 / 3 - half, 1.6 / 3 + half))
    assert found.seeds == 3


def test_intervals_cover_the_true_value():
    """4,000 draws each: the Monte Carlo error is .004."""
    rng = np.random.default_rng(0)
    for name, (draw, truth, (least, most)) in RNG_DRAWS.items():
        for seeds in (3, 5, 10):
            values = draw(rng, (4000, seeds))
            error = values.std(axis=1, ddof=1) / np.sqrt(seeds)
            one = interval(values[0])
            reach = stats.t.ppf(0.975, seeds - 1) * error
            assert one.high - one.estimate == pytest.approx(reach[0])  # the same, all at once
            covered = np.mean(np.abs(values.mean(axis=1) - truth) <= reach)
            assert least <= covered <= most, (name, seeds)


def test_equal_to_the_percentile_bootstrap_where_there_are_many_seeds():
    """That is rliable's interval of a mean (Agarwal et al. 2021); of few seeds it is too narrow."""
    values = np.random.default_rng(1).normal(size=200)
    found = interval(values)
    drawn = stats.bootstrap((values,), np.mean, method="percentile", rng=2, n_resamples=4000)
    low, high = drawn.confidence_interval
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.06 * (high - low))
    few = values[:3]
    drawn = stats.bootstrap((few,), np.mean, method="percentile", rng=2, n_resamples=4000)
    low, high = drawn.confidence_interval
    assert interval(few).high - interval(few).low > 2 * (high - low)


def test_tails_are_those_of_scipys_t_test():
    values = np.random.default_rng(3).normal(0.3, size=7)
    for bound in (-0.5, 0.1, 2.0):
        above = stats.ttest_1samp(values, bound, alternative="greater").pvalue
        below = stats.ttest_1samp(values, bound, alternative="less").pvalue
        assert (tails(values, ">=", bound).inside, tails(values, ">=", bound).outside) == (
            pytest.approx((above, below))
        )
        assert tails(values, "<=", bound).inside == pytest.approx(below)
        both = stats.ttest_1samp(values, bound).pvalue
        assert tails(values, ">=", bound).both == pytest.approx(both)


def test_equivalence_is_two_one_sided_tests():
    values = np.random.default_rng(4).normal(0.05, 0.1, size=9)
    found = tails(values, "within", 0.2)
    above = stats.ttest_1samp(values, -0.2, alternative="greater").pvalue
    below = stats.ttest_1samp(values, 0.2, alternative="less").pvalue
    assert found.inside == pytest.approx(max(above, below))
    for shift, verdict in ((0.0, "supported"), (0.6, "refuted"), (-0.6, "refuted")):
        one = tails(values + shift, "within", 0.2)
        assert one.verdict(one.both) == verdict
    one = tails(values + 0.15, "within", 0.2)
    assert one.verdict(one.both) == "undecided"


@settings(max_examples=40)
@given(st.integers(2, 8), st.floats(-1, 1), st.integers(0, 10_000))
def test_a_single_test_decides_exactly_where_the_interval_leaves_the_bound(seeds, bound, seed):
    values = np.random.default_rng(seed).normal(size=seeds)
    found = interval(values)
    for relation, inside in ((">=", found.low > bound), ("<=", found.high < bound)):
        one = tails(values, relation, bound)
        assert (one.verdict(one.both) == "supported") == inside
        crossing = found.low < bound < found.high
        assert (one.verdict(one.both) == "undecided") == crossing
    inside = found.low > -abs(bound) and found.high < abs(bound)
    one = tails(values, "within", abs(bound))
    assert (one.verdict(one.both) == "supported") == inside


def test_values_without_spread():
    for value, verdict in ((0.4, "refuted"), (0.5, "undecided"), (0.6, "supported")):
        one = tails([value] * 3, ">=", 0.5)
        assert one.verdict(one.both) == verdict


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.02]) == pytest.approx([0.5, 0.04])
    assert holm([0.9, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_a_family_errs_no_more_often_than_one_test():
    """Ten true bounds: one of them is crossed in at most 5% of families, uncorrected in 40%."""
    rng = np.random.default_rng(5)
    wrong = plain = 0
    for _ in range(400):
        p_values = [tails(rng.normal(size=5), ">=", 0.0).both for _ in range(10)]
        wrong += min(holm(p_values)) <= 0.05
        plain += min(p_values) <= 0.05
    assert wrong / 400 <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 400)
    assert plain / 400 > 0.3


def test_more_seeds_until_the_test_decides():
    values = np.array([0.4, 0.5, 0.6])  # standard deviation .1
    assert more_seeds(values, ">=", 0.0) == 0
    wanted = [more_seeds(values, ">=", bound) for bound in (0.2, 0.3, 0.4, 0.45, 0.49)]
    assert wanted == sorted(wanted)
    assert more_seeds(values, ">=", 0.5) is None
    for tests, more in ((1, wanted[3]), (10, more_seeds(values, ">=", 0.45, tests=10))):
        fewer, enough = (power(3 + m, 0.05, 0.1, 0.025 / tests) for m in (more - 1, more))
        assert fewer < POWER <= enough
    assert more_seeds(values, "within", 0.55) == wanted[3]
    near, far = (power(3 + MOST_SEEDS, distance, 0.1, 0.025) for distance in (0.0085, 0.009))
    assert near < POWER < far
    assert more_seeds(values, ">=", 0.5 - 0.0085) is None
    assert more_seeds(values, ">=", 0.5 - 0.009) > MOST_SEEDS - 60
    assert more_seeds([0.3, 0.3], ">=", 0.3) is None, "no spread and no distance"


def power(n, distance, deviation, level):
    """Chance that a one-sided t test of n seeds sees a distance: over the variance by quadrature.

    Given the variance v of the sample, the mean is beyond its critical value as a normal law says.
    """
    critical, points = stats.t.ppf(1 - level, n - 1), np.linspace(0, 1, 20_001)[1:-1]
    v = stats.chi2.ppf(points, n - 1) / (n - 1)
    return stats.norm.sf(critical * np.sqrt(v) - distance * np.sqrt(n) / deviation).mean()


def test_one_seed_shows_no_spread():
    with pytest.raises(ValueError, match="at least 2 training seeds, got 1"):
        interval([0.3])
    with pytest.raises(ValueError, match="at least 2 training seeds, got 1"):
        tails([0.3], ">=", 0.0)


def test_what_is_not_finite_is_never_averaged():
    for bad in (np.nan, np.inf):
        for use in (interval, episode_interval):
            with pytest.raises(NonFinite):
                use(np.array([0.3, bad, 0.5]))
        with pytest.raises(NonFinite):
            tails([0.3, bad], ">=", 0.0)


def test_episode_interval_by_hand():
    mean, low, high = episode_interval([0.0, 1.0, 2.0, 3.0])
    half = 1.959964 * np.std([0, 1, 2, 3], ddof=1) / 2
    assert (mean, low, high) == pytest.approx((1.5, 1.5 - half, 1.5 + half))
