"""A tiny finished run, made once, and copies of it to work on."""

import shutil

import pytest

from metalocus.experiments import monitor
from metalocus.experiments.config import RunConfig
from metalocus.experiments.training import train

BANDIT = {"env": "metalocus/BernoulliBandit-v0", "env_kwargs": {"n_arms": 2, "horizon": 5}}
TINY = RunConfig(agent="lstm", steps=120, seed=1, n_envs=4, **BANDIT)


@pytest.fixture
def tiny():
    """The config of the run."""
    return TINY


@pytest.fixture
def brief(monkeypatch):
    """Few episodes for the measurements taken during training."""
    monkeypatch.setattr(monitor, "EPISODES", 32)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The run's folder, not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(monitor, "EPISODES", 32)
        return train(TINY, tmp_path_factory.mktemp("finished"))


@pytest.fixture
def run(finished, tmp_path):
    """A copy of the run's folder."""
    return shutil.copytree(finished, tmp_path / "runs" / finished.name)
