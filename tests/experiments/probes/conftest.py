"""What the tests of probes share."""

import pytest

from metalocus.experiments.probes import freeze, strategy
from metalocus.experiments.strategies import fitting as _fitting
from metalocus.experiments.strategies import mixture as _mixture
from metalocus.experiments.strategies import tiny_gru as _tiny_gru


@pytest.fixture
def small_strategy(monkeypatch):
    """The strategy probe fits a few strategies, roughly, to a few choices."""
    whole = strategy.candidates
    monkeypatch.setattr(strategy, "candidates", lambda family: (whole(family)[0][:4], {}))
    monkeypatch.setattr(_mixture, "WEIGHT_STEPS", 2)
    monkeypatch.setattr(strategy, "FITTED_CHOICES", 24)
    for name in ("SPREAD", "SEARCH_STEPS"):
        monkeypatch.setattr(_fitting, name, 1)
    monkeypatch.setattr(_tiny_gru, "STEPS", 1)
    monkeypatch.setattr(_tiny_gru, "SIZES", (1,))


@pytest.fixture
def quick(monkeypatch, small_strategy):
    """The freeze probe tries two rates, on few episodes."""
    monkeypatch.setattr(freeze, "TUNING_EPISODES", 20)
    monkeypatch.setattr(freeze, "RATES", (1.0, 3.0))
