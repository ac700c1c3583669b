"""The script of README.md and the calls of docs/training.md, run on a tiny run."""

import re
import runpy
import shlex
import sys
from pathlib import Path

import numpy as np

from metalocus.envs import Setting
from metalocus.experiments.cli.parsing import files_to_load, parse
from metalocus.experiments.cli.registry import COMMANDS
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.load import load_agent
from metalocus.experiments.training import train as training

ROOT = Path(__file__).parents[2]


def blocks(page):
    """Every block of Python on a page."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


def play(code, folder, monkeypatch, *arguments):
    file = folder / "script.py"
    file.write_text(code)
    monkeypatch.setattr(sys, "argv", [str(file), *map(str, arguments)])
    return runpy.run_path(str(file), run_name="__main__")


def test_the_script_of_the_readme_swaps_states_of_opposite_best_arms(
    finished, tmp_path, monkeypatch, capsys
):
    (script,) = blocks("README.md")
    names = play(script, tmp_path, monkeypatch, finished)
    assert (names["best"][names["donor"]] != names["best"]).all()
    said = capsys.readouterr().out
    chances = re.findall(r"^chance of the best arm, state (.+): (\d\.\d\d)$", said, re.MULTILINE)
    assert [state for state, _ in chances] == ["its own", "of another episode"]
    assert all(0 < float(chance) < 1 for _, chance in chances)
    swapped = names["swap"](names["middle"], names["trace"].end).state
    for key, array in names["trace"].end.state.items():
        assert np.array_equal(swapped[key], array[names["donor"]])


def test_the_script_trains_measures_and_loads_as_on_the_page(brief, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    training_page, _, engine_page = blocks("docs/training.md")
    small = training_page.replace("steps=2_000_000", "steps=100").replace(
        "horizon=100", "horizon=5"
    )
    assert small != training_page
    names = play(small, tmp_path, monkeypatch)
    expected = RunConfig.suited(
        Setting("metalocus/BernoulliBandit-v0", n_arms=5, horizon=5), "lstm", steps=100, seed=0
    )
    assert names["config"] == expected == load_agent(names["run"])[1]
    assert names["train"] is training.train
    engine = engine_page.replace("100_000, progress_bar=True", "128")
    assert engine != engine_page
    names = play(engine, tmp_path, monkeypatch)
    assert names["action"].shape == (1,)


def test_every_command_on_the_pages_parses():
    """Those that stand in a line of their own; placeholders such as RUN are texts."""
    lines = []
    for page in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]):
        lines += re.findall(r"^metalocus (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(lines) > 25
    for line in lines:
        _, arguments = files_to_load(shlex.split(line.partition(";")[0], comments=True))
        parse(arguments, COMMANDS)


def test_the_page_times_training_on_the_sizes_that_it_names(tmp_path, monkeypatch, capsys):
    _, timing, _ = blocks("docs/training.md")
    small = timing.replace("100 * 256", "5 * 4").replace("n_envs=256", "n_envs=4")
    names = play(small.replace("horizon=100", "horizon=5"), tmp_path, monkeypatch)
    assert float(capsys.readouterr().out) > 0
    assert names["model"].n_steps * names["model"].n_envs == names["steps"] == 20
    assert names["model"].num_timesteps == 20
