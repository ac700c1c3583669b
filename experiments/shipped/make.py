"""Make what the package ships of a finished full debate.

``python -m metalocus.experiments.shipped.make DEBATE``
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from metalocus.agents.ppo.files import read_record, write_atomically, write_record
from metalocus.envs import Setting
from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.folders.folder import MANIFEST, NotARun
from metalocus.experiments.runs.config import RL
from metalocus.experiments.runs.named import NAMED
from metalocus.experiments.runs.records import FILES, read_config
from metalocus.experiments.shipped.read import AGENTS, DATA, VALUES, VERDICTS
from metalocus.experiments.studies.job import RUNS
from metalocus.experiments.studies.presets import TRAINING

SEED = 0
"""The training seed whose agents are shipped."""


def make(debate: Path, into: Path = DATA) -> Path:
    """Replace what is shipped by a debate's verdicts, every seed's values, and its agents.

    Of the agents those with their usual arguments, trained longest by the usual trainer on a
    setting that has a short name; their TensorBoard events stay behind.

    Args:
        debate: folder of a finished debate.
        into: folder to replace.

    Raises:
        NotARun: the folder holds no finished debate.
        Corrupt: its verdicts are damaged.
    """
    if not (debate / VERDICTS).exists():
        raise NotARun(f"{debate} holds no finished debate")
    found = read_record(debate / VERDICTS, "repeat the command that made it")
    fresh = into.with_name(f".{into.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    write_found({**found, "shipped": None}, fresh)
    ship_agents(debate, found["runs"], fresh)
    shutil.rmtree(into, ignore_errors=True)
    fresh.rename(into)
    return into


def write_found(found: Mapping[str, Any], into: Path) -> None:
    """Write a debate's verdicts, and the value of every seed beside them."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(values(found))), sink)
    write_record(into / VERDICTS, found)
    write_atomically(into / VALUES, sink.getvalue().to_pybytes())


def values(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every measured value of a debate: claim, quantity, task, training seed, value."""
    for verdict in found["verdicts"]:
        for quantity, about in verdict["quantities"].items():
            for task, measured in about["tasks"].items():
                for seed, value in enumerate(measured["values"]):
                    row = {"claim": verdict["claim"], "quantity": quantity, "task": task}
                    yield {**row, "seed": seed, "value": value}


def ship_agents(debate: Path, runs: Iterable[Mapping[str, Any]], into: Path) -> None:
    """Copy the chosen of a debate's runs, but for those that were trained less than what is there.

    Args:
        debate: folder in which the runs are.
        runs: as in ``verdicts.json``.
        into: folder of what is shipped.
    """
    for (agent, task), run in sorted(chosen(debate, runs).items()):
        folder = into / AGENTS / agent / task
        if folder.exists() and read_config(folder).steps > read_config(run).steps:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        for name in (*FILES, MANIFEST):
            shutil.copy(run / name, folder)


def chosen(debate: Path, runs: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Path]:
    """The runs that are shipped, by agent and task."""
    claims = (setting for claim in CLAIMS.values() for setting in claim.settings)
    names: dict[Setting, str] = {each: each.name for each in (*claims, *NAMED.values())}
    best: dict[tuple[str, str], tuple[int, Path]] = {}
    for run in runs:
        folder = debate / RUNS / run["name"]
        config = read_config(folder)
        task = names.get(config.setting)
        _, agent_kwargs, train_kwargs = config.differing()
        as_studied = dict(train_kwargs) == dict(TRAINING.get(config.setting.env, {}))
        usual = not agent_kwargs and as_studied and config.trainer == RL
        if task is None or not usual or config.seed != SEED or config.steps == 0:
            continue
        steps, _ = best.get((config.agent, task), (0, folder))
        if config.steps > steps:
            best[config.agent, task] = config.steps, folder
    return {key: folder for key, (_, folder) in best.items()}


def main() -> None:
    """Ship the debate named on the command line."""
    parser = argparse.ArgumentParser(description="Ship the results of a finished full debate.")
    parser.add_argument("debate", type=Path, metavar="DEBATE")
    into = make(parser.parse_args().debate)
    size = sum(path.stat().st_size for path in into.rglob("*") if path.is_file())
    print(f"{into}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
