"""Control variates: exact where they explain all, unbiased, and with errors that are true."""

import numpy as np
import pytest

from metalocus.agents.agent import NonFinite
from metalocus.experiments.scoring.control_variates import mean_with_controls


def test_what_the_controls_explain_has_no_error():
    controls = np.random.default_rng(0).normal(size=(50, 2))
    mean, error = mean_with_controls(7.0 + controls @ [2.0, -1.0], controls)
    assert mean == pytest.approx(7.0, abs=1e-12)
    assert error == pytest.approx(0.0, abs=1e-12)


def test_the_mean_is_unbiased_and_its_error_is_true():
    rng, found = np.random.default_rng(1), []
    for _ in range(400):
        x = rng.normal(size=(200, 1))
        found.append(mean_with_controls(3.0 + 2.0 * x[:, 0] + rng.normal(size=200), x))
    means, errors = np.array(found).T
    assert means.mean() == pytest.approx(3.0, abs=0.02)
    assert errors.mean() == pytest.approx(means.std(), rel=0.12)  # .0707, and not .158 without
    assert errors.mean() == pytest.approx(200**-0.5, rel=0.02)


def test_bad_numbers_and_too_few_episodes_are_refused():
    with pytest.raises(NonFinite, match="an episode"):
        mean_with_controls(np.array([1.0, np.nan, 2.0, 1.0]), np.ones((4, 1)))
    with pytest.raises(NonFinite, match="control"):
        mean_with_controls(np.ones(4), np.array([[1.0], [np.inf], [2.0], [1.0]]))
    with pytest.raises(ValueError, match="too few"):
        mean_with_controls(np.ones(3), np.ones((3, 2)))
