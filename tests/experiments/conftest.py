"""A tiny finished run, made once, copies of it to work on, and command lines."""

import json
import shlex
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from stable_baselines3.common.logger import Image

from metalocus.envs import Setting
from metalocus.experiments.cli.main import run as run_command
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.records import is_done
from metalocus.experiments.studies import measure_all
from metalocus.experiments.sweeps.executors import loky
from metalocus.experiments.training import monitor
from metalocus.experiments.training.train import train

BANDIT = Setting("metalocus/BernoulliBandit-v0", n_arms=2, horizon=5)
TINY = RunConfig(BANDIT, "lstm", steps=120, seed=1, n_envs=4)


@pytest.fixture(scope="session")
def tiny():
    """The config of the run."""
    return TINY


@pytest.fixture
def brief(monkeypatch):
    """Few episodes for the measurements taken during training, and no picture of them."""
    monkeypatch.setattr(monitor, "EPISODES", 32)
    picture = Image(np.zeros((1, 1, 3), np.uint8), "HWC")
    monkeypatch.setattr(monitor.Monitor, "_picture", lambda *_: picture)


@pytest.fixture(scope="session")
def finished(tiny, tmp_path_factory):
    """The run's folder, not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(monitor, "EPISODES", 32)
        return train(tiny, tmp_path_factory.mktemp("finished"))


@pytest.fixture
def run(finished, tmp_path):
    """A copy of the run's folder."""
    return shutil.copytree(finished, tmp_path / "runs" / finished.name)


@pytest.fixture
def elsewhere(monkeypatch, tmp_path, brief):
    """Commands run in an empty folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def in_this_process(monkeypatch):
    """Studies are trained for and measured here; gives the names of the runs that are made."""
    made = []

    def sweep(configs, out):
        for config in {config.name: config for config in configs}.values():
            if not is_done(out / config.name):
                made.append(config.name)
                train(config, out)

    monkeypatch.setattr(measure_all, "sweep", sweep)
    monkeypatch.setattr(loky, "_processes", ThreadPoolExecutor)
    return made


@pytest.fixture
def call(capsys):
    """Run a command line; gives exit code, standard output and error."""

    def run(line, *more):
        code = run_command([*shlex.split(line), *map(str, more)])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def document(call):
    """Run a command line that prints one JSON document and nothing else."""

    def run(line, *more):
        code, out, err = call(line, *more)
        assert code == 0, err
        assert all(line.startswith("metalocus: ") for line in err.splitlines()), err
        return json.loads(out, parse_constant=pytest.fail)

    return run


@pytest.fixture
def train_command(tiny):
    """The command that makes the tiny run and says nothing else."""
    kwargs = " ".join(f"{name}={value}" for name, value in tiny.setting.kwargs.items())
    numbers = f"--steps {tiny.steps} --seed {tiny.seed} --n-envs {tiny.n_envs} --quiet"
    return f"train --env {tiny.setting.env} --agent {tiny.agent} {numbers} --env-kwargs {kwargs}"
