"""Measurements are kept until something they depend on changes, and a killed one is told."""

import dataclasses
import json
import os
import signal

import pytest

from metalocus.agents.ppo.files import Corrupt
from metalocus.envs import Setting
from metalocus.experiments.claims import study
from metalocus.experiments.studies.presets import PRESETS
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.folder import MANIFEST
from metalocus.experiments.training.sweep import RunFailed
from metalocus.experiments.training.train import train


class Counted:
    """Something to measure on the tiny run; tells how often it was measured."""

    name = "counted"

    def __init__(self, config):
        self.config, self.times = config, 0

    def runs(self, preset, seed):
        return {"agent": self.config}

    def measure(self, agents, preset, seed):
        self.times += 1
        assert set(agents) == {"agent"}
        return {"quantity": {"bandit": float(seed)}}


def test_a_measurement_is_kept_until_something_it_depends_on_changes(run, tiny):
    out, asked, preset = run.parents[1], Counted(tiny), PRESETS["smoke"]
    first = study._measured(asked, preset, 0, out)
    assert first == {"quantity": {"bandit": float(study.EVALUATION_SEED)}}
    assert study._measured(asked, preset, 0, out) == first
    assert asked.times == 1
    study._measured(asked, preset, 1, out)
    study._measured(asked, dataclasses.replace(preset, episodes=7), 0, out)
    assert asked.times == 3
    manifest = json.loads((run / MANIFEST).read_text())
    (run / MANIFEST).write_text(json.dumps({**manifest, "sha256": "other weights"}))
    with pytest.raises(Corrupt):
        study._measured(asked, preset, 0, out)


def test_a_new_way_of_measuring_is_not_mistaken_for_the_old(run, tiny, monkeypatch):
    out, asked = run.parents[1], Counted(tiny)
    study._measured(asked, PRESETS["smoke"], 0, out)
    monkeypatch.setattr(study, "MEASURING", study.MEASURING + 1)
    study._measured(asked, PRESETS["smoke"], 0, out)
    assert asked.times == 2


class Fatal(Counted):
    """Kills the process that measures it, as a machine short of memory does."""

    def runs(self, preset, seed):
        return {}

    def measure(self, agents, preset, seed):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_measurement_is_a_failed_run(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)  # one would be this process
    with pytest.raises(RunFailed, match="was killed; repeat the command to go on"):
        study.measure_all([Fatal(tiny)], PRESETS["smoke"], tmp_path)


def test_untrained_networks_of_other_tasks_are_other_agents(brief, tiny, tmp_path):
    """Their weights may be equal, but not what is measured on them."""
    out, times = tmp_path / study.RUNS, []
    for horizon in (5, 6):
        config = dataclasses.replace(tiny, steps=0, setting=Setting(tiny.setting.env, horizon=horizon))
        train(config, out)
        asked = Counted(config)
        study._measured(asked, PRESETS["smoke"], 0, tmp_path)
        times.append(asked.times)
    assert times == [1, 1]


def test_a_damaged_measurement_is_made_again(run, tiny):
    out, asked, preset = run.parents[1], Counted(tiny), PRESETS["smoke"]
    first = study._measured(asked, preset, 0, out)
    (file,) = (out / study.MEASURED).iterdir()
    for text in ("", "{", "\0"):
        file.write_text(text)
        assert study._measured(asked, preset, 0, out) == first
    assert asked.times == 4
    assert json.loads(file.read_text()) == first
    assert RunConfig.from_json(tiny.to_json()) == tiny
