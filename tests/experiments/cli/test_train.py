"""``metalocus train`` and ``metalocus runs``: settings as they are written on a command line."""

import dataclasses
import shlex
from pathlib import Path

import pytest

from metalocus.experiments.cli.texts import seeds_of
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.runs.load import load_agent
from metalocus.experiments.sweeps.client import ForkServer
from metalocus.experiments.sweeps.order import HOPELESS, Outcome
from metalocus.experiments.sweeps.worker import work

pytestmark = pytest.mark.usefixtures("elsewhere")
BANDIT = "train --env metalocus/BernoulliBandit-v0 --agent lstm --env-kwargs horizon=5 --n-envs 4"


def test_arguments_are_those_of_the_run(call):
    arguments = "--agent-kwargs hidden_size=6 net_arch=[5] critic=separate action_values=False"
    arguments += " --train-kwargs learning_rate=1e-2 gamma=.5 n_epochs=2 target_kl=None"
    code, out, err = call(f"{BANDIT} --steps 4e1 --seed 2 {arguments}")
    assert code == 0, err
    _, config = load_agent(Path(out.strip()))
    assert config.agent_kwargs == {
        **{"hidden_size": 6, "net_arch": [5], "critic": "separate", "action_values": False}
    }
    given = {"learning_rate": 0.01, "gamma": 0.5, "n_epochs": 2, "target_kl": None}
    assert config.train_kwargs == given
    assert (config.steps, config.seed) == (40, 2)
    assert err == f"metalocus: {config.title}: {out.strip()}\n", "where it will be, at once"
    code, again, err = call(f"{BANDIT} --steps 40 --seed 2 {arguments} --quiet")
    assert (code, again, err) == (0, out, "")


def test_several_seeds_are_several_runs(call, monkeypatch):
    monkeypatch.setattr(ForkServer, "attend", lambda server, order: Outcome(*work(order)))
    code, out, err = call(f"{BANDIT} --steps 0 --seeds 0,2-3")
    assert code == 0, err
    configs = [load_agent(Path(line))[1] for line in out.splitlines()]
    assert [config.seed for config in configs] == [0, 2, 3]
    assert len({dataclasses.replace(config, seed=0).to_json() for config in configs}) == 1
    assert "training: 3 runs, 0 done before, in runs" in err
    assert "3 of 3 runs" in err
    assert call(f"{BANDIT} --steps 0 --seeds 0,2-3 --quiet") == (0, out, "")
    code, listed, _ = call("runs runs")
    assert code == 0
    assert listed.count("finished") == 3


def test_a_seed_that_fails_is_named(call, monkeypatch):
    monkeypatch.setattr(ForkServer, "attend", lambda *_: Outcome(HOPELESS, "no luck"))
    code, out, err = call(f"{BANDIT} --steps 0 --seeds 4")
    assert (code, out) == (1, "")
    assert "s4, FAILED" in err
    assert "-s4 failed: no luck; repeat the command to continue" in err.splitlines()[-1]


def test_slips_are_told_in_one_line_and_leave_nothing(call):
    steps, seeds = "is no whole number, such as 200000, 2_000_000 or 1e6", "--seeds takes seeds"
    cases = {
        "--steps 1e6x": steps,
        "--steps 1.5": steps,
        "--steps nan": steps,
        "--steps 1e999999999": steps,
        "--steps -5": "steps must be a whole number of at least 0",
        "--steps 9 --seeds a": seeds,
        "--steps 9 --seeds 1-": seeds,
        "--steps 9 --seeds 1,,2": seeds,
        "--steps 9 --seeds 3-1": "--seeds counts upwards, got '3-1'",
        "--steps 9 --seeds 0-99999999999": "--seeds takes at most",
        "--steps 9 --seeds 1 --seed 1": "--seed and --seeds say the same",
        "--steps 9 --agent-kwargs hiden_size=2": "did you mean 'hidden_size'",
        "--steps 9 --agent-kwargs hidden_size": "--agent-kwargs takes name=value",
        "--steps 9 --agent-kwargs hidden_size=x": "hidden_size must be a whole number",
        "--steps 9 --train-kwargs gama=1": "did you mean 'gamma'",
        "--steps 9 --train-kwargs gamma=1 gamma=2": "--train-kwargs gives gamma more than once",
        "--steps 9 --train-kwargs gamma=2 --seeds 0-1": "gamma must be at most 1",
    }
    for options, reason in cases.items():
        code, out, err = call(f"{BANDIT} {options}")
        assert (code, out, len(err.splitlines())) == (2, "", 1), (options, err)
        assert reason in err, options
        assert not Path("runs").exists()


def test_steps_are_written_as_people_write_them(call):
    for text in ("40", "4e1", "4_0", "40.0"):
        code, out, _ = call(f"{BANDIT} --quiet --steps {text}")
        assert code == 0
        assert load_agent(Path(out.strip()))[1].steps == 40


def test_seeds():
    texts = {"0": [0], "0-3": [0, 1, 2, 3], "5,1": [1, 5], "0-2,2-4": [0, 1, 2, 3, 4]}
    assert {text: seeds_of(text) for text in texts} == texts
    with pytest.raises(WrongUse, match="at most"):
        seeds_of("0-9999,10000")


def test_runs_as_json_and_as_a_table(call, document, run, tiny):
    (found,) = document("runs --json", run.parent)
    assert (found["title"], found["config"]) == (tiny.title, tiny.to_dict())
    code, out, err = call(f"runs {shlex.quote(str(run.parent))}")
    assert (code, err) == (0, "")
    assert "120" in out
    assert f"{found['score']:.3f}" in out
    code, out, err = call("runs nowhere")
    assert (code, out, err) == (2, "", "metalocus: nowhere holds no runs\n")
