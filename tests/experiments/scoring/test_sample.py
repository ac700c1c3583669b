"""Pooling over chunks: means, covariances and errors of the episodes, from few points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from metalocus.agents.agent import NonFinite
from metalocus.experiments.scoring.sample import Sample


def pooled(columns, sizes):
    """A sample of the columns [C, ..., N], added in chunks of these sizes."""
    sample = Sample()
    for part in np.split(columns, np.cumsum(sizes)[:-1], axis=-1):
        sample.add(part)
    return sample


COLUMNS = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(4, 30)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(-100, 100, allow_subnormal=False))
)


@given(COLUMNS, st.data())
@settings(max_examples=200)
def test_chunks_do_not_show_in_means_covariances_and_errors(columns, data):
    """Against NumPy's mean and covariance of all episodes at once."""
    c, places, n = columns.shape
    cuts = sorted(data.draw(st.sets(st.integers(1, n - 1), max_size=4)))
    sizes = np.diff([0, *cuts, n])
    sample = pooled(columns, sizes)
    weights = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=c, max_size=c)), float)
    assert sample.n == n
    assert sample.columns.shape[-1] == (n if len(sizes) == 1 else c + 1)
    assert sample.weight * sample.columns.shape[-1] == pytest.approx(n)
    np.testing.assert_allclose(sample.columns.mean(axis=-1), columns.mean(axis=-1), atol=1e-11)
    error = sample.standard_error(np.einsum("c,cpm->pm", weights, sample.columns))
    for place in range(places):
        covariance = np.cov(columns[:, place], bias=True).reshape(c, c)
        found = np.cov(sample.columns[:, place], bias=True).reshape(c, c)
        np.testing.assert_allclose(found, covariance, atol=1e-9)
        exact = (weights @ columns[:, place]).std() / np.sqrt(n)
        np.testing.assert_allclose(error[place], exact, atol=1e-11)


def test_what_is_constant_over_episodes_has_no_error():
    """Sums of squares and products would leave 1e-8 here, the root of rounding."""
    x = np.random.default_rng(0).normal(size=(1, 9000)) + 1000.0
    sample = pooled(np.concatenate([x, 2.0 - x, np.full_like(x, 0.3)]), [3000] * 3)
    one, other, constant = sample.columns
    for nothing in (one + other, constant, constant - 0.3):
        assert sample.standard_error(nothing) < 1e-13
    assert sample.standard_error(one) == pytest.approx(x.std() / np.sqrt(9000), rel=1e-12)


def test_one_chunk_is_kept_as_it_is():
    columns = np.random.default_rng(0).normal(size=(2, 5, 40))
    sample = pooled(columns, [40])
    np.testing.assert_array_equal(sample.columns, columns)
    assert sample.weight == 1.0


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_and_not_averaged_in(wrong):
    sample = pooled(np.ones((2, 3, 10)), [10])
    spoiled = np.ones((2, 3, 10))
    spoiled[1, 2, 7] = wrong
    with pytest.raises(NonFinite, match="what was measured is not finite"):
        sample.add(spoiled)
    np.testing.assert_array_equal(sample.columns, np.ones((2, 3, 10)))
    assert sample.n == 10
