"""The process of the command line, run for real: interrupts, closed pipes, narrow encodings."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import metalocus
from metalocus.experiments.cli.process import INTERRUPTED

BANDIT = "metalocus/BernoulliBandit-v0"
SCORE = f"score --env {BANDIT} --policy random --env-kwargs horizon=2"
NOT_TEXT = "run\udcff"
"""A name that is no UTF-8, as Python gives it."""
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
STANDS_IN = """
from pathlib import Path
from metalocus.experiments.bench.benches import BENCHES
from metalocus.experiments.comparison import compare
from metalocus.experiments.debate import main as debate
from metalocus.experiments.runs.provenance import made_by

measured = {"a_task": {"values": [0.4, 0.6], "estimate": 0.5, "low": 0.4, "high": 0.6}}
prediction = {"side": "recurrence", "quantity": "q", "relation": ">=", "bound": 0.45}
prediction |= {"says": "so it is", "by_construction": False}
prediction["tasks"] = {"a_task": {"verdict": "undecided", "p": 0.3, "more_seeds": 4}}
verdict = {"claim": "c", "number": 3, "statement": "So it is.", "predictions": [prediction]}
verdict["quantities"] = {"q": {"about": "how much", "tasks": measured}}
verdict["register"] = {"equal": True, "entries": []}
debate.run_debate = lambda *how: {"preset": {"name": "quick"}, "verdicts": [verdict]}
debate.run_claim = lambda *how: verdict
BENCHES["env"] = lambda: [{"env": "x", "speed": 3}]
compare.compare = lambda *how: {
    "preset": {"name": "smoke", "seeds": 1, "episodes": 2},
    "made": made_by(), "tasks": {}, "entries": [],
}
"""
"""Jobs of minutes give at once what they give."""
ALL = """
import os, shlex, sys
import torch._dynamo  # by every optimizer
import metalocus.experiments.training.train
from metalocus.experiments.cli import inventory, process
from metalocus.experiments.cli.main import run

inventory.inventory()

for case, out in {cases!r}.items():
    if os.fork() == 0:
        os.chdir(case)
        os.dup2(out, 1)
        os.close(out)
        os.dup2(os.open("said", os.O_WRONLY | os.O_CREAT), 2)
        process.prepare()
        codes = [run(shlex.split(line)) for line in {lines!r}]
        print(codes, file=sys.stderr)
        sys.exit(process.finish(0))
    os.close(out)
    if os.wait()[1] != 0:
        sys.exit(case)
"""
"""All lines in a process for each case, forked from one that has imported what takes long."""


@pytest.fixture
def environment(elsewhere):
    """That of the processes: one thread, and no buffer that hides what Python prints at exit."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def every_command(run):
    """A line for every command, all of which succeed but the last three, which are refused."""
    return [
        "list",
        "--help",
        "--version",
        f"{SCORE} --episodes 10",
        f"{SCORE} --episodes 10 --out page.md",
        f"train --env {BANDIT} --agent lstm --steps 0 --out trained --env-kwargs horizon=5",
        f"evaluate {run.parent / NOT_TEXT} --episodes 8",
        f"evaluate {run} --episodes 8 --json",
        f"probe {run} --probe carry --episodes 8",
        f"export {run} --sb3 {NOT_TEXT}.zip",
        f"import {NOT_TEXT}.zip --out imported",
        "debate",
        "claim locus",
        "compare --preset smoke",
        "bench env",
        f"evaluate {NOT_TEXT}",
        f"report {NOT_TEXT}",
        f"train --env {BANDIT} --agent lstm --steps 0 --out {NOT_TEXT} --env-kwargs horizon=5",
    ]


def test_every_command_prints_in_a_locale_without_utf8_and_to_a_closed_pipe(run, environment):
    """Names that are no text are printed as their bytes; a reader who has left changes nothing."""
    shutil.copytree(run, run.parent / NOT_TEXT)
    lines = every_command(run)
    pipes = {case: os.pipe() for case in ("read", "left")}
    for case in pipes:
        os.mkdir(case)
    cases = {case: writing for case, (_, writing) in pipes.items()}
    os.close(pipes["left"][0])
    with (
        open("out", "wb") as file,
        subprocess.Popen(
            [sys.executable, "-c", STANDS_IN + ALL.format(lines=lines, cases=cases)],
            env={**environment, **ASCII},
            pass_fds=cases.values(),
            stderr=subprocess.PIPE,
        ) as process,
    ):
        for writing in cases.values():
            os.close(writing)
        with os.fdopen(pipes["read"][0], "rb") as reader:
            shutil.copyfileobj(reader, file)
        complaints = process.stderr.read()
    assert (process.returncode, complaints) == (0, b"")
    for case in cases:
        said = Path(case, "said").read_bytes().splitlines()
        assert said[-1] == str([0] * (len(lines) - 3) + [2] * 3).encode(), said
        assert all(line.startswith(b"metalocus: ") for line in said[:-1]), said
        where, *refused, _ = said
        assert b"trained/lstm-" in where
        assert all(b"run\xff" in line for line in refused), said
        assert len(refused) == 3
    assert b"\n" + os.fsencode(f"{NOT_TEXT}.zip") + b"\n" in Path("out").read_bytes()


def test_output_to_a_full_disk_is_a_failure_of_one_line(environment):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "metalocus", "--version"]
        done = subprocess.run(
            command, env=environment, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr == "metalocus: No space left on device: standard output\n"


def test_output_that_the_shell_has_closed_is_no_error(environment):
    command = f"{sys.executable} -m metalocus --version >&-"
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_module_is_the_command(environment):
    done = subprocess.run(
        [sys.executable, "-m", "metalocus", "--version"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, f"{metalocus.__version__}\n")


def interrupted(environment, before, times, gap=0.02):
    """Exit code and output of a long command, interrupted so long after it began."""
    arguments = [*SCORE.split(), "--episodes", "2000000"]
    begin = "from metalocus.experiments.cli.main import main; print('begun', flush=True); "
    code = f"import sys; {begin}sys.argv = ['metalocus', *{arguments!r}]; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "begun\n"
        time.sleep(before)
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(gap)
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_an_interrupt_at_any_time_is_one_line(environment):
    """While modules are imported and while it works, pressed once and twice."""
    for before, times in ((0.02, 1), (0.05, 2), (0.2, 1), (0.4, 2), (0.8, 1), (2.0, 2)):
        found = interrupted(environment, before, times)
        assert found == (1, "", f"{INTERRUPTED}\n"), (before, times)


SWALLOWING = {
    "a destructor": """
class Thing:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

def command():
    Thing()
    time.sleep(20)
""",
    "an import": """
def command():
    with open("swallows.py", "w") as file:
        file.write("import os, signal\\ntry:\\n os.kill(os.getpid(), signal.SIGINT)\\n"
                   "except BaseException:\\n pass\\n")
    sys.path.insert(0, "")
    import swallows
    time.sleep(20)
""",
    "its end": """
def command():
    try:
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(20)
""",
}


FORKS = """
import os, signal, sys, time
from metalocus.experiments.cli.main import main
from metalocus.experiments.cli.registry import COMMANDS

for where, code in {cases!r}.items():
    if os.fork() == 0:
        for number, name in enumerate(("out", "err"), 1):
            os.dup2(os.open(where + name, os.O_WRONLY | os.O_CREAT), number)
        exec(code)
        COMMANDS["report"] = lambda: command()
        sys.argv = ["metalocus", "report"]
        sys.exit(main())
    begun = time.monotonic()
    code = os.waitstatus_to_exitcode(os.wait()[1])
    print(code, time.monotonic() - begun < 15, flush=True)  # or the next fork prints it too
"""
"""A process for each case, forked from one that has imported what takes long."""


def test_an_interrupt_that_would_be_swallowed_ends_the_process(environment):
    done = subprocess.run(
        [sys.executable, "-c", FORKS.format(cases=SWALLOWING)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["1 True"] * len(SWALLOWING)
    for where in SWALLOWING:
        found = Path(f"{where}out").read_text(), Path(f"{where}err").read_text()
        assert found == ("", f"{INTERRUPTED}\n"), where
