"""What the tests of probes share."""

import pytest

from metalocus.experiments.probes import freeze


@pytest.fixture
def quick(monkeypatch):
    """The freeze probe tries two rates, on few episodes."""
    monkeypatch.setattr(freeze, "TUNING_EPISODES", 20)
    monkeypatch.setattr(freeze, "RATES", (1.0, 3.0))
