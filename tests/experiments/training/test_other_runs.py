"""Runs that are made from other runs: what begins with their weights, and what imitates them."""

import dataclasses
import json
import shutil

import pytest
import torch

from metalocus.agents.ppo.files import read_tensors
from metalocus.envs import InvalidTask
from metalocus.experiments.folders.folder import CONFIG, WEIGHTS
from metalocus.experiments.porting.exchange import export_run, import_run
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.load import load_agent
from metalocus.experiments.training import monitor
from metalocus.experiments.training.monitor import hyperparameters
from metalocus.experiments.training.train import train


def weights(folder):
    return read_tensors(folder / WEIGHTS)[0]


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_starts_with_the_weights_of_another(run, tiny, brief, tmp_path):
    config = dataclasses.replace(tiny, steps=0, seed=5, train_kwargs={"start": str(run)})
    assert f"start_{run.name[:20]}" in config.name
    assert config.title.endswith(f"start {run.name} · seed 5")
    assert equal(weights(train(config, tmp_path)), weights(run))
    other = dataclasses.replace(config, steps=20)
    assert not equal(weights(train(other, tmp_path)), weights(run))
    moved = shutil.copytree(run, tmp_path / "moved")
    again = dataclasses.replace(config, train_kwargs={"start": str(moved)})
    assert again.name == config.name  # its content counts, not where it lies
    assert again != config
    texts = hyperparameters(config)
    assert texts["start"] == run.name
    assert hyperparameters(tiny).keys() == texts.keys()


def test_an_interrupted_imitation_of_a_run_goes_on_to_the_same_bits(
    run, tiny, brief, tmp_path, monkeypatch
):
    monkeypatch.setattr(monitor, "CHECKPOINT_SECONDS", -1.0)
    monkeypatch.setattr(monitor, "REPORT_SECONDS", -1.0)
    given = {"reference": str(run), "histories": "reference"}
    config = dataclasses.replace(tiny, agent="gru", trainer="imitate", steps=80, train_kwargs=given)
    assert "-imitate-" in config.name
    assert config.title == (
        f"gru · {tiny.title.split(' · ')[1]} · imitate, reference {run.name}, histories reference"
        " · seed 1"
    )
    assert RunConfig.from_json(config.to_json()) == config
    whole = train(config, tmp_path / "whole")

    def interrupt(now):
        if now.steps == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "parts", interrupt)
    assert equal(weights(train(config, tmp_path / "parts")), weights(whole))
    kept = json.loads((whole / CONFIG).read_text())["train_kwargs"]["reference"]
    assert kept["run"] == run.name
    shutil.rmtree(run)  # a finished run needs it no more
    assert load_agent(whole)[1] == config
    assert train(config, tmp_path / "whole") == whole
    export_run(whole, tmp_path / "it.zip")
    again = import_run(tmp_path / "it.zip", tmp_path / "elsewhere")
    assert equal(weights(again), weights(whole))
    with pytest.raises(InvalidTask, match=r"^reference: .*not a run directory"):
        train(dataclasses.replace(config, seed=2), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_runs_that_do_not_fit_are_refused_before_anything_is_written(run, tiny, tmp_path):
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    three = dataclasses.replace(tiny, setting=type(tiny.setting)(tiny.setting.env, n_arms=3))
    cases = (
        (tiny, {"start": "nowhere"}, "start: 'nowhere' holds no finished run"),
        (tiny, {"start": str(empty)}, "start: .*empty holds no finished run"),
        (tiny, {"start": 5}, "start: 5 holds no finished run"),
        (dataclasses.replace(tiny, agent="gru"), {"start": str(run)}, "is another network"),
        (three, {"start": str(run)}, "start: .* chooses among 2 arms"),
        (tiny, {"reference": "wsls"}, "unknown argument of training 'reference'"),
    )
    for config, given, reason in cases:
        with pytest.raises(InvalidTask, match=reason) as raised:
            train(dataclasses.replace(config, train_kwargs=given), out)
        assert len(str(raised.value).splitlines()) == 1
        assert not out.exists()
    (run / WEIGHTS).write_bytes(b"")
    with pytest.raises(InvalidTask, match=r"^start: .*damaged"):
        train(dataclasses.replace(tiny, train_kwargs={"start": str(run)}), out)


def test_weights_that_do_any_number_of_arms_start_with_any_and_none_is_imitated_with_another(
    tiny, brief, run, tmp_path
):
    two = dataclasses.replace(tiny, agent="alike_arms")
    few = train(two, tmp_path)
    setting = type(tiny.setting)(tiny.setting.env, **{**tiny.setting.kwargs, "n_arms": 3})
    start = {"start": str(few)}
    three = dataclasses.replace(two, setting=setting, steps=0, train_kwargs=start)
    assert equal(weights(train(three, tmp_path)), weights(few))
    imitating = dataclasses.replace(
        tiny, setting=setting, trainer="imitate", train_kwargs={"reference": str(run)}
    )
    with pytest.raises(InvalidTask, match=r"^reference: .* chooses among 2 arms"):
        train(imitating, tmp_path)


def test_another_run_in_its_place_is_refused(run, tiny, brief, tmp_path):
    config = dataclasses.replace(tiny, train_kwargs={"start": str(run)})
    other = train(dataclasses.replace(tiny, seed=9, steps=20), tmp_path / "others")
    shutil.rmtree(run)
    shutil.copytree(other, run.with_name("moved")).rename(run)
    with pytest.raises(InvalidTask, match=r"^start: "):
        train(config, tmp_path / "out")


def test_the_command_imitates_and_says_what_is_wrong(elsewhere, call):
    line = "train --env metalocus/BernoulliBandit-v0 --agent lstm --steps 40 --n-envs 4 --quiet"
    line += " --env-kwargs n_arms=2 horizon=5"
    code, out, _ = call(f"{line} --trainer imitate --train-kwargs reference=wsls histories=random")
    assert (code, out.count("reference_wsls-histories_random")) == (0, 1)
    cases = (
        ("--trainer imitat", "did you mean 'imitate'"),
        ("--trainer imitate", "imitation needs a reference"),
        ("--trainer imitate --train-kwargs reference=wsl", "did you mean 'wsls'"),
        ("--trainer imitate --train-kwargs gamma=.9", "unknown argument of training by imitate"),
    )
    for given, reason in cases:
        code, _, err = call(f"{line} {given}")
        assert code == 2
        assert reason in err
        assert len(err.splitlines()) == 1
    code, out, _ = call("show imitate")
    assert code == 0
    assert "reference=None" in out
