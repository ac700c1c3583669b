"""Whatever trains or measures much does it by the executor that was chosen."""

import inspect
import os
import subprocess
import sys

import pytest

from metalocus.experiments.cli.registry import COMMANDS
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.sweeps.executors.chosen import (
    executed_by,
    executor,
    executor_called,
    in_processes,
)
from metalocus.experiments.sweeps.executors.local import Local

MANY = ("debate", "claim", "compare", "replicate", "sweep", "train")


def test_every_command_that_trains_much_takes_an_executor():
    for name in MANY:
        assert {"executor", "address"} <= inspect.signature(COMMANDS[name]).parameters.keys(), name


def test_the_chosen_executor_is_that_of_the_context(monkeypatch):
    calls = []

    class Other(Local):
        def call(self, tasks):
            calls.append(len(tasks))
            yield from enumerate(task() for task in tasks)

    other = Other(1)
    with executed_by(other):
        assert executor() is other
        assert dict(in_processes([int, str])) == {0: 0, 1: ""}
        assert list(in_processes([])) == []
    assert calls == [2]
    assert isinstance(executor(), Local)
    assert not isinstance(executor(), Other)


def test_as_many_runs_are_at_work_as_cores_may_be_used():
    """As loky counts them: what is allowed to the process, in a container or by this variable."""
    script = f"from {Local.__module__} import Local\nprint(Local().slots, Local(3).slots)"
    one = {**os.environ, "LOKY_MAX_CPU_COUNT": "1"}
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, env=one)
    assert found.stdout.split() == [b"1", b"3"]


def test_what_cannot_be_chosen_is_refused_in_one_line(monkeypatch):
    cases = {
        ("rai", None, None): "did you mean 'ray'",
        ("local", "auto", None): "--address is that of a Ray cluster; add --executor ray",
        ("slurm", "auto", None): "--address is that of a Ray cluster",
        ("local", None, 0): "--workers must be at least 1, got 0",
    }
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    monkeypatch.setitem(__import__("sys").modules, "submitit", None)
    cases[("ray", None, None)] = r"Ray is not installed; `pip install metalocus\[cluster\]`"
    cases[("slurm", None, None)] = r"submitit is not installed; `pip install metalocus\[slurm\]`"
    for given, message in cases.items():
        with pytest.raises(WrongUse, match=message) as raised:
            executor_called(*given)
        assert len(str(raised.value).splitlines()) == 1


def test_one_run_has_no_executor(call, elsewhere, train_command):
    code, _, said = call(f"{train_command} --executor ray")
    assert code == 2
    assert "--executor and --address go with --seeds" in said


def test_a_sweep_is_made_shown_and_made_again(call, elsewhere, document):
    """By the command, on a real server."""
    text = '[[runs]]\nsetting = "bandit"\nagent = "mlp"\nsteps = 0\nseeds = "0-1"\n'
    (elsewhere / "s.toml").write_text(text)
    code, out, said = call("sweep s.toml --workers 1")
    assert code == 0, said
    assert "2 runs in runs; every measurement with what made it: runs/results" in out
    assert "2 runs  mlp" in out
    found = document("status runs --json")
    assert (found["total"], found["counts"]["done"]) == (2, 2)
    assert document("sweep s.toml --json")["runs"] == 2
    for line in ("sweep s.toml --shard 3/2", "sweep nowhere.toml", "status nowhere"):
        code, _, said = call(line)
        assert (code, said.count("\n")) == (2, 1), line
