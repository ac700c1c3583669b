"""Runs of replicas that learn online: made, interrupted, continued, loaded, measured."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import CallbackList

from metalocus.agents.ppo.files import Corrupt
from metalocus.agents.replicas.agent import REPLICA, OnlineAgent
from metalocus.agents.replicas.learning import PARAMETERS, RATE
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.folders.folder import BEFORE, CHECKPOINT, MANIFEST, WEIGHTS
from metalocus.experiments.folders.lease import LOCK, Busy
from metalocus.experiments.folders.results import read_results
from metalocus.experiments.instruments.interventions import Moment, matched, resample
from metalocus.experiments.probes.locus import Locus
from metalocus.experiments.runs import records
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.load import load_agent, load_policy
from metalocus.experiments.runs.possible import require_possible
from metalocus.experiments.runs.records import load_manifest
from metalocus.experiments.runs.replicas import build_stream
from metalocus.experiments.runs.subject import find_subject
from metalocus.experiments.training import online
from metalocus.experiments.training.train import train

CONFIG = RunConfig.suited(
    Setting("metalocus/BernoulliBandit-v0", horizon=6),
    "gru",
    240,
    seed=1,
    agent_kwargs={"hidden_size": 4},
    train_kwargs={"rate": [0.3, 0.0], "interval": 4},
    trainer="online",
)
CONFIG = replace(CONFIG, n_envs=4)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(CONFIG, tmp_path_factory.mktemp("runs"))


def test_a_run_is_its_stream_and_loads_as_an_agent_that_learns_on(run: Path):
    stream = build_stream(CONFIG)
    totals = np.array([stream.play() for _ in range(10)])
    agent, config = load_agent(run)
    assert isinstance(agent, OnlineAgent)
    assert config == CONFIG
    for name, value in stream.weights.items():
        assert torch.equal(agent.weights[name], value), name
    assert agent.weights[RATE].tolist() == pytest.approx([0.3, 0.3, 0.0, 0.0])
    trace = rollout(agent, fresh_episodes(CONFIG.setting, 8, 5))
    moved = (trace.end.weights[PARAMETERS] != trace.start.weights[PARAMETERS]).any(axis=1)
    assert moved.tolist() == [True, True, False, False] * 2
    rows = read_results(run, CONFIG.name)
    last = {row.metric: row.value for row in rows if row.step == 240}
    assert last["return/rate=0.3"] == pytest.approx(totals[-1, :2].mean())
    assert last["return"] == pytest.approx(totals[-1].mean())
    assert {"score/episode", "score/episode/rate=0.3", "score/episode/rate=0"} <= last.keys()


def test_a_killed_run_goes_on_to_the_same_end(run: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(online, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(online, "REPORT_SECONDS", 0.0)

    def kill(progress: object) -> None:
        if progress.steps >= 144:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, tmp_path, report=kill)
    checkpoint = tmp_path / CONFIG.name / CHECKPOINT
    (tmp_path / CONFIG.name / BEFORE).unlink()
    damaged = bytearray(checkpoint.read_bytes())
    whole, damaged[-3] = bytes(damaged), damaged[-3] ^ 1
    checkpoint.write_bytes(damaged)
    with pytest.raises(Corrupt, match="corrupt"):
        train(CONFIG, tmp_path)
    checkpoint.write_bytes(whole)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = train(CONFIG, tmp_path)
    assert "continued_from" not in load_manifest(again)
    assert (again / WEIGHTS).read_bytes() == (run / WEIGHTS).read_bytes()
    assert read_results(again, CONFIG.name) == read_results(run, CONFIG.name)


def begun(out: Path) -> Path:
    """The run, killed after its first checkpoint."""

    def kill(progress: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(online, "SAVE_SECONDS", 0.0)
        patch.setattr(online, "REPORT_SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            train(CONFIG, out, report=kill)
    return out / CONFIG.name


def test_a_run_that_goes_on_elsewhere_says_so(tmp_path: Path, monkeypatch):
    here = records.place("cpu")
    begun(tmp_path)
    there = dict.fromkeys(here["machine"], "n1")
    monkeypatch.setattr(records, "machine", lambda: there)
    monkeypatch.setattr(torch, "__version__", "0")
    with pytest.warns(UserWarning, match=r"made elsewhere \(its torch is .*, here 0\)"):
        again = train(CONFIG, tmp_path)
    manifest = load_manifest(again)
    assert (manifest["machine"], manifest["continued_from"]) == (there, [here])


def test_a_run_that_was_taken_over_writes_no_manifest(tmp_path: Path, monkeypatch):
    """Also where it is at its end before it would report."""
    folder = tmp_path / CONFIG.name
    measure = online._write_rows

    def overtaken(*args: object) -> None:
        measure(*args)  # type: ignore[arg-type]
        (folder / f"{LOCK}.2").write_text("of another process")

    monkeypatch.setattr(online, "_write_rows", overtaken)
    with pytest.raises(Busy, match="has taken over"):
        train(CONFIG, tmp_path)
    assert not (folder / MANIFEST).exists()


def test_a_probe_exchanges_stores_within_a_replica(run: Path):
    agent, _ = load_agent(run)
    assert isinstance(agent, OnlineAgent)
    seen: list = []
    episodes = fresh_episodes(CONFIG.setting, 10, 5)
    rollout(agent, episodes, observe=seen.append)
    for replace_by in (resample, matched):
        stores = seen[3].stores
        moment = Moment(3, stores, stores, stores, seen[3].last, episodes.crn)
        given = replace_by(moment).weights[REPLICA]
        assert given.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    one = find_subject(run).agent
    assert one.start(3, np.random.default_rng(0)).weights[REPLICA].tolist() == [0, 0, 0]
    found = Locus([5], ["resample"]).run(one, CONFIG.setting, 16, 3)
    assert set(found["shares"]["resample before"]) == {"state", "weights", "context"}


def test_what_cannot_be_trained_online_is_refused_in_one_line(run: Path, tmp_path: Path):
    for changes, message in (
        ({"n_envs": 3}, "n_envs must be a multiple of the 2 rates"),
        ({"agent": "transformer"}, "transformer cannot be trained online; choose from"),
        ({"agent_kwargs": {"critic": "separate"}}, "critic: networks trained online have linear"),
        ({"agent_kwargs": {"hidden_sice": 4}}, "did you mean 'hidden_size'"),
        ({"train_kwargs": {"rate": []}}, "rate must be a number or a list of numbers"),
        ({"train_kwargs": {"rate": -1.0}}, "rate must be a finite number"),
        ({"train_kwargs": {"learning_rate": 0.1}}, "argument of training by online"),
        ({"train_kwargs": {"start": str(run)}}, "start: replicas begin untrained"),
    ):
        with pytest.raises(InvalidTask, match=message):
            require_possible(replace(CONFIG, **changes))
    with pytest.raises(InvalidTask, match="callbacks: training online calls none"):
        train(CONFIG, tmp_path, callback=CallbackList([]))
    with pytest.raises(InvalidTask, match="holds a network for each environment, no policy"):
        load_policy(run)
