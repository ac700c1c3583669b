"""A study of the tiny run."""

import pytest

from metalocus.experiments.studies.presets import PRESETS
from metalocus.experiments.studies.study import Study


class Counted(Study):
    """Something to measure on one run; counts how often it was measured."""

    name = "counted"

    def __init__(self, config):
        self.config, self.times = config, 0

    def runs(self, preset, seed):
        return {"agent": self.config}

    def measure(self, agents, preset, seed):
        self.times += 1
        assert set(agents) == {"agent"}
        return {"quantity": {"bandit": float(seed), "reversal": 0.125}, "best": "wsls"}


@pytest.fixture
def counted(tiny):
    return Counted(tiny)


@pytest.fixture
def smoke():
    return PRESETS["smoke"]
