"""All results of a folder of runs as one Parquet dataset, and a summary of it.

``results/`` holds one file for each part of the folder, ``results/all.parquet`` where it is not
parted. A row is one measurement of one run, and names what decides it: settings, seed, code
version, packages, machine. What is in a file already is not read again.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from metalocus.agents.ppo.files import Corrupt, write_atomically
from metalocus.envs import InvalidTask
from metalocus.experiments.folders.folder import NotARun
from metalocus.experiments.folders.lease import Busy, held
from metalocus.experiments.folders.places import folder_of_run, part_of
from metalocus.experiments.folders.results import SCORE, read_results
from metalocus.experiments.runs.records import load_manifest, read_config

RESULTS = "results"
WAIT_SECONDS = 1.0
TEXTS = (
    *("run", "title", "env", "env_kwargs", "agent", "agent_kwargs", "trainer", "train_kwargs"),
    *("source", "versions", "machine", "metric"),
)
NUMBERS = {"seed": pa.int64(), "steps": pa.int64(), "n_envs": pa.int64(), "step": pa.int64()}
SCHEMA = pa.schema(
    [pa.field(name, pa.string()) for name in TEXTS]
    + [pa.field(name, kind) for name, kind in NUMBERS.items()]
    + [pa.field("value", pa.float64())]
)


def gather(out: Path, names: Iterable[str]) -> dict[str, str]:
    """Add finished runs to the dataset of a folder; reasons of those that are left out, by name.

    Args:
        out: folder of runs.
        names: of runs that are finished.
    """
    parted = (out / part_of("")).is_dir()
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[part_of(name) if parted else "all"].append(name)
    left_out: dict[str, str] = {}
    (out / RESULTS).mkdir(exist_ok=True)
    while True:
        try:
            with held(out / RESULTS):
                for group, members in sorted(groups.items()):
                    left_out |= _add(out, out / RESULTS / f"{group}.parquet", members)
            return left_out
        except Busy:  # another shard gathers
            time.sleep(WAIT_SECONDS)


def _add(out: Path, file: Path, names: Sequence[str]) -> dict[str, str]:
    """Add runs to one file; reasons of those that are left out."""
    table = _table(file)
    new = set(names) - set(pc.unique(table["run"]).to_pylist())
    rows: list[dict[str, Any]] = []
    left_out = {}
    for name in sorted(new):
        try:
            rows += _rows(folder_of_run(out, name))
        except (Corrupt, NotARun, InvalidTask) as error:
            left_out[name] = str(error)
    if rows:
        whole = pa.concat_tables([table, pa.Table.from_pylist(rows, SCHEMA)])
        sink = pa.BufferOutputStream()
        pq.write_table(whole.sort_by([("run", "ascending")]), sink, write_page_checksum=True)
        write_atomically(file, sink.getvalue().to_pybytes())
    return left_out


def _table(file: Path) -> pa.Table:
    """What a file holds; nothing if it is not there, or is damaged and made again."""
    try:
        return pq.read_table(file, schema=SCHEMA, page_checksum_verification=True)
    except (OSError, pa.ArrowException, ValueError):
        return SCHEMA.empty_table()


def _rows(folder: Path) -> list[dict[str, Any]]:
    manifest, config = load_manifest(folder), read_config(folder)
    about: dict[str, Any] = {**config.to_dict(), "title": config.title, "run": manifest["run"]}
    about |= {name: json.dumps(about[name], sort_keys=True) for name in about if "kwargs" in name}
    about |= {"source": manifest["source"], "versions": json.dumps(manifest["versions"])}
    about["machine"] = json.dumps(manifest.get("machine", {}))
    about = {name: value for name, value in about.items() if name in SCHEMA.names}
    return [
        {**about, "step": row.step, "metric": row.metric, "value": row.value}
        for row in read_results(folder, manifest["run"])
    ]


def summary(out: Path, names: Sequence[str]) -> list[Mapping[str, Any]]:
    """The last score of runs, those that differ in their seed alone together, by title.

    Returns:
        For each ``title``, ``runs``, and of the score ``mean``, ``low`` and ``high``.
    """
    columns = ["run", "title", "seed", "step", "value"]
    chosen = pc.field("metric") == SCORE
    dataset = ds.dataset(out / RESULTS, schema=SCHEMA, format="parquet")
    last: dict[str, dict[str, Any]] = {}
    wanted = set(names)
    for row in dataset.to_table(columns, filter=chosen).to_pylist():
        if row["run"] in wanted and row["step"] >= last.get(row["run"], row)["step"]:
            last[row["run"]] = row
    groups: dict[str, list[float]] = defaultdict(list)
    for row in last.values():
        groups[row["title"].removesuffix(f" · seed {row['seed']}")].append(row["value"])
    return [
        {"title": title, "runs": len(v), "mean": sum(v) / len(v), "low": min(v), "high": max(v)}
        for title, v in sorted(groups.items())
    ]
