"""The command line used wrongly: one line that says what to mend, and nothing written."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from metalocus.agents.agent import NonFinite
from metalocus.agents.ppo.files import Corrupt
from metalocus.envs import InvalidTask
from metalocus.experiments.cli.exit_codes import exit_code
from metalocus.experiments.cli.main import run as run_command
from metalocus.experiments.cli.parsing import without_box
from metalocus.experiments.cli.registry import COMMANDS
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.folder import MANIFEST, WEIGHTS, NotARun
from metalocus.experiments.folders.lease import Busy, locked
from metalocus.experiments.sweeps.order import RunFailed

pytestmark = pytest.mark.usefixtures("elsewhere")

BANDIT, REVERSAL = "metalocus/BernoulliBandit-v0", "metalocus/ReversalBandit-v0"
TRAIN = f"train --env {BANDIT} --agent lstm --steps 5"
WRONG = {
    "bananas": "unknown command 'bananas'; `metalocus --help` shows all",
    "trian": "unknown command 'trian'; did you mean 'train'?",
    "train --agnt lstm": "--agnt of `metalocus train`; did you mean '--agent'?",
    "list envss": "invalid choice 'envss'; did you mean 'envs'? choose from agents, claims, envs",
    "bench trian": "invalid choice 'trian'; did you mean 'train'? choose from env, probe, train",
    "list --load": "--load takes a Python file, as in --load mine.py",
    "list --load --json": "--load takes a Python file, as in --load mine.py",
    "list --load nowhere.py": "nowhere.py cannot be loaded: there is no such file",
    "train": "Missing from metalocus train: --env",
    f"train --env {BANDIT} --agent lstm": "--steps",
    f"{TRAIN} --colour red": "Unrecognized options: --colour of `metalocus train`",
    f"{TRAIN} --steps five": "--steps",
    "train --env Bandit --agent lstm --steps 5": "unknown environment 'Bandit'; did you mean",
    f"train --env {BANDIT} --agent thompson --steps 5": "'thompson'; `metalocus list` shows all",
    f"train --env {BANDIT} --agent lstm --steps -5": "steps must be a whole number of at least 0",
    f"{TRAIN} --seed -1": "seed must be a whole number of at least 0, got -1",
    f"{TRAIN} --seed 99999999999": "seed must be at most",
    f"{TRAIN} --n-envs 0": "n_envs must be a whole number of at least 1",
    f"{TRAIN} --device tpu": "device must be one of cpu, cuda, got 'tpu'",
    f"{TRAIN} --env-kwargs n_arms=1": "n_arms must be a whole number of at least 2, got 1",
    f"{TRAIN} --env-kwargs horizon=0": "horizon must be a whole number of at least 1, got 0",
    f"{TRAIN} --env-kwargs horizon=1e3": "horizon must be a whole number",
    f"{TRAIN} --env-kwargs horizon": "--env-kwargs takes name=value, got 'horizon'",
    f"{TRAIN} --env-kwargs =5": "--env-kwargs takes name=value, got '=5'",
    f"{TRAIN} --env-kwargs n_arms=2 n_arms=3": "--env-kwargs gives n_arms more than once; give it",
    f"{TRAIN} --env-kwargs": "--env-kwargs: give at least one value, or leave the option out",
    f"{TRAIN} --env-kwargs keys=5": "has no argument 'keys'; choose from n_arms",
    f"{TRAIN} --env-kwargs env_id=x": "has no argument 'env_id'; choose from n_arms",
    f"{TRAIN} --env-kwargs env=x": "has no argument 'env'; choose from n_arms",
    f"{TRAIN} --env-kwargs prior={'(' * 500}": "prior must be",
    f"{TRAIN} --steps 6": "--steps is given 2 times; give it once",
    f"{TRAIN} --n-envs 2 --n_envs 4": "--n-envs is given 2 times; give it once",
    f"{TRAIN} --seed 1.5": "--seed",
    f"{TRAIN} --n-envs many": "--n-envs",
    f"score --env {BANDIT} --policy random --episodes 1e4": "--episodes",
    f"{TRAIN} --out ''": "--out is empty; give it a value or leave it out",
    f"{TRAIN} --out=": "--out is empty; give it a value or leave it out",
    "evaluate ''": "an argument is empty; give it a value or leave it out",
    "compare --agents": "--agents: give at least one value, or leave the option out",
    "compare --tasks --agents lstm": "--tasks: give at least one value, or leave the option out",
    "compare --agents nobody": "unknown agent 'nobody'",
    f"{TRAIN} --env-kwargs arms=5": "has no argument 'arms'; did you mean 'n_arms'?",
    f"score --env {REVERSAL} --policy filter --env-kwargs p=1.5": "p must be a probability",
    f"score --env {REVERSAL} --policy filter --env-kwargs p=nan": "p must be a probability",
    f"score --env {REVERSAL} --policy gittins": "gittins cannot play",
    f"score --env {BANDIT} --policy nobody": "unknown policy 'nobody'; `metalocus list` shows all",
    f"score --env {BANDIT} --policy random --episodes 1": "episodes must be",
    f"score --env {BANDIT} --policy random --seed -1": "seed must be",
    "score --policy filter --env-kwargs p=.9": "--env-kwargs are of one environment; name it",
    "score --policy delta_rule": "without --env, --policy must be a reference",
    f"score --env {REVERSAL} --env-kwargs p=1.5": "p must be a probability",
    "evaluate": "Missing from metalocus evaluate",
    "evaluate nowhere": "nowhere is not a run directory",
    "evaluate .": "is not a run directory",
    "probe nowhere --probe locus": "nowhere is not a run directory",
    "claim truth": "unknown claim 'truth'; choose from apparatus",
    "claim locus --preset giant": "unknown preset 'giant'; choose from smoke, quick, full",
    "debate --preset giant": "unknown preset 'giant'; choose from smoke, quick, full",
    "report nowhere": "nowhere holds no finished debate; run `metalocus debate --out nowhere`",
    "bench wings": "invalid choice 'wings'",
    "list birds": "invalid choice 'birds'",
    "list envs agents": "Unrecognized options: agents",
    "export nowhere --sb3 run.zip": "nowhere is not a run directory",
    "import nowhere.zip": "nowhere.zip does not exist",
}
WRONG_WITH_A_RUN = {
    "probe {run} --probe tricorder": "unknown probe 'tricorder'; choose from capacity, ",
    "probe {run}": "Missing from metalocus probe: --probe",
    "probe {run} --probe locus --episodes 0": "episodes must be a whole number of at least 2",
    "probe {run} --probe locus --seed -1": "seed must be",
    "probe {run} --probe locus --rate -1": "rate must be a finite number of at least 0",
    "probe {run} --probe locus --rate fast": "--rate",
    "probe {run} --probe locus --rewritten --rate 0.1": "--rewritten and --rate are two agents",
    "evaluate {run} --episodes 0": "episodes must be",
    "export {run} --sb3 {run}/config.json": "config.json exists; give --sb3 another name",
    "import {run}/config.json": "is not a zip written by `metalocus export`",
    "report {run}": "holds no finished debate",
}


def refused(found, reason, case=""):
    """Exit code 2 and one line that says what is wrong."""
    code, out, err = found
    assert (code, out, err.count("\n")) == (2, "", 1), f"{case}: {found}"
    assert err.startswith("metalocus: "), case
    assert reason in err, f"{case}: {err}"
    assert "Traceback" not in err, case
    assert not set("│─╭╯") & set(err), case


def test_a_complaint_is_taken_out_of_its_box():
    for left, line, right, side, low_left, low_right in ("╭─╮│╰╯", "+-+|++"):
        box = [
            f"{left}{line} Required options {line * 8}{right}",
            f"{side} Missing from train:        {side}",
            f"{side}     --steps INT           {side}",
            f"{side} {line * 25} {side}",
            f"{side} For full helptext, see -h {side}",
            f"{side} and more                  {side}",
            f"{low_left}{line * 27}{low_right}",
        ]
        said = without_box("\n".join(box))
        assert said == "Missing from train: --steps INT; see `metalocus --help`"


def test_wrong_use_gives_one_line_and_writes_nothing(call, elsewhere):
    for line, reason in WRONG.items():
        refused(call(line), reason, line)
        assert list(elsewhere.iterdir()) == [], line


def test_wrong_use_of_a_run_gives_one_line_and_writes_nothing(call, elsewhere, run):
    before = {path.name: path.stat().st_mtime_ns for path in run.iterdir()}
    for line, reason in WRONG_WITH_A_RUN.items():
        refused(call(line.format(run=run)), reason, line)
        after = {path.name: path.stat().st_mtime_ns for path in run.iterdir()}
        assert after == before, line
        assert list(elsewhere.iterdir()) == [], line


def test_a_file_to_write_is_refused_before_the_work_and_nothing_is_overwritten(
    call, elsewhere, run, monkeypatch
):
    """It is there already, or below a file, or on a read-only disk; whatever the command."""

    def work(*_how):
        raise AssertionError("the work has begun")

    for job in ("scoring.returns.mean_returns", "comparison.compare.compare"):
        monkeypatch.setattr(f"metalocus.experiments.{job}", work)
    monkeypatch.setattr("metalocus.experiments.porting.exchange.export_run", work)
    (elsewhere / "there").write_text("kept")
    (elsewhere / "link").symlink_to("nowhere")
    for command, option in (
        ("score", "--out"),
        ("compare", "--page"),
        (f"export {run}", "--sb3"),
    ):
        for file, reason in (
            ("there", "there exists; give"),
            ("link", "link exists; give"),
            (".", "exists; give"),
            ("there/page", "cannot write there/page (Not a directory)"),
            ("/proc/page", "cannot write /proc/page ("),
            ("new/folder/" + 250 * "x", "File name too long"),
        ):
            refused(call(f"{command} {option} {file}"), reason, f"{command} {option} {file}")
    assert sorted(path.name for path in elsewhere.iterdir()) == ["link", "there"]
    assert (elsewhere / "there").read_text() == "kept"


def test_a_run_that_cannot_be_rewritten_is_refused(call, elsewhere):
    config = f"--env {BANDIT} --agent transformer --env-kwargs n_arms=2 horizon=5"
    code, folder, _ = call(f"train {config} --steps 0 --n-envs 2")
    assert code == 0
    said = "transformer is not recurrent: it carries its context"
    refused(call("probe --probe locus --rewritten", folder.strip()), said)


def test_runs_that_are_unfinished_or_damaged_are_refused(call, elsewhere, run):
    weights, manifest = (run / WEIGHTS).read_bytes(), (run / MANIFEST).read_bytes()
    damaged = weights[:-1] + bytes([weights[-1] ^ 1])
    for command in ("evaluate {}", "probe {} --probe carry", "export {} --sb3 x.zip"):
        line = command.format(run)
        (run / WEIGHTS).write_bytes(damaged)
        refused(call(line), "weights.safetensors", line)
        (run / WEIGHTS).write_bytes(weights)
        (run / MANIFEST).write_text("{")
        refused(call(line), "manifest.json is missing or damaged", line)
        (run / MANIFEST).unlink()
        refused(call(line), "is an unfinished run; repeat its train command", line)
        (run / MANIFEST).write_bytes(manifest)
    assert list(elsewhere.iterdir()) == []


def test_a_file_in_place_of_the_output_folder_is_refused(call, elsewhere):
    (elsewhere / "file").write_text("")
    refused(call(f"{TRAIN} --out file"), "cannot write in file/")


def test_a_run_that_another_process_makes_is_told_in_one_line(call, tiny, train_command):
    with locked(Path("runs") / tiny.name):
        code, out, err = call(train_command)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "another process is writing" in err


def test_exit_codes():
    for error, code in (
        (WrongUse("x"), 2),
        (InvalidTask("x"), 2),
        (NotARun("x"), 2),
        (Corrupt("x"), 2),
        (RunFailed("x"), 1),
        (NonFinite("x"), 1),
        (Busy("x"), 1),
        (OSError("x"), 1),
        (MemoryError(), 1),
        (OverflowError("x"), 1),
        (RecursionError("x"), 1),
        (KeyError("x"), None),
        (ValueError("x"), None),
        (RuntimeError("x"), None),
    ):
        assert exit_code(error) == code, error


def test_want_of_memory_and_numbers_too_large_are_told_in_one_line(call, monkeypatch):
    """As Python, NumPy and torch tell them."""

    def nested(value):
        return nested([value])

    memory, large = "metalocus: not enough memory; ", "metalocus: a number is too large"
    for fault, said in (
        (lambda: bytearray(2**62), memory),
        (lambda: np.empty(2**55), memory),
        (lambda: torch.empty(2**55), memory),
        (lambda: int(1e300).to_bytes(8, "little"), large),
        (lambda: nested([]), large),
    ):
        monkeypatch.setitem(COMMANDS, "report", partial(lambda command: command(), fault))
        code, out, err = call("report")
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert err.startswith(said), err


def test_a_fault_of_the_program_is_not_hidden(monkeypatch):
    monkeypatch.setitem(COMMANDS, "report", lambda: {}["missing"])
    with pytest.raises(KeyError):
        run_command(["report"])


def test_a_failure_of_several_lines_is_told_in_one(call, monkeypatch):
    def failing() -> None:
        raise RunFailed("one\n  two")

    monkeypatch.setitem(COMMANDS, "report", failing)
    assert call("report") == (1, "", "metalocus: one two\n")


def test_no_refusal_of_a_name_is_a_page_long(call, tmp_path):
    """Of every kind of name that a command takes."""
    lines = {
        f"train --env {BANDIT} --agent foo --steps 5": "`metalocus list` shows all",
        "train --env foo --agent lstm --steps 5": "`metalocus list` shows all",
        f"{TRAIN} --train-kwargs foo=3": "choose from learning_rate",
        f"{TRAIN} --agent-kwargs foo=3": "choose from hidden_size",
        "show foo": "`metalocus list` shows all",
        "score --policy foo": "`metalocus list` shows all",
        f"score --policy foo --env {BANDIT}": "`metalocus list` shows all",
        f"score --policy gittin --env {BANDIT}": "did you mean 'gittins'",
        "compare --agents foo": "`metalocus list` shows all",
        "compare --agents lst": "did you mean 'lstm'",
        "claim emergence --setting foo": "choose from bandit, reversal",
        f"claim emergence --setting {BANDIT}x": f"did you mean '{BANDIT}'",
        "claim foo": "choose from",
        f"probe random --probe foo --env {BANDIT}": "choose from",
        "foo": "`metalocus --help` shows all",
    }
    for line, said in lines.items():
        code, _, err = call(line)
        assert code == 2, line
        assert said in err, line
        assert len(err) < 500, line
