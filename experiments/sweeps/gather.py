"""All results of a folder of runs as one Parquet dataset, and a summary of it.

``results/`` holds one file for each part of the folder, ``results/all.parquet`` where it is not
parted. A row is one measurement of one run, and names what decides it: settings, seed, code,
packages, machine, and the SHA-256 of the run's manifest. A run that has another manifest than its
rows say is read again. A file carries a SHA-256 of its rows; one that is damaged, was edited or is
of another version is made again from the runs.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from metalocus.agents.ppo.files import Corrupt, write_atomically
from metalocus.envs import InvalidTask
from metalocus.experiments.display import LOG
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.folder import CONFIG, MANIFEST, NotARun, read_whole
from metalocus.experiments.folders.lease import Busy, held, require_writable
from metalocus.experiments.folders.places import folder_of_run, part_of
from metalocus.experiments.folders.results import SCORE, read_results
from metalocus.experiments.runs.records import load_manifest, places_of, read_config

RESULTS = "results"
WHOLE = "all"
"""The one file of a folder that is not parted."""
WAIT_SECONDS = 1.0
TEXTS = (
    *("run", "title", "env", "env_kwargs", "agent", "agent_kwargs", "trainer", "train_kwargs"),
    *("device", "source", "made_with", "versions", "machine", "accelerator", "continued_from"),
    *("manifest", "metric"),
)
NUMBERS = ("seed", "steps", "n_envs", "threads", "step")
SCHEMA = pa.schema(
    [pa.field(name, pa.string()) for name in TEXTS]
    + [pa.field(name, pa.int64()) for name in NUMBERS]
    + [pa.field("value", pa.float64())]
)
_SHA256 = b"metalocus.sha256"


class Gathered(NamedTuple):
    """What became of the runs that were to be gathered.

    Attributes:
        runs: those that are in the dataset, or have no measurements.
        left_out: reasons of those that are finished and cannot be read, by name.
    """

    runs: list[str]
    left_out: dict[str, str]


def gather(out: Path, names: Iterable[str]) -> Gathered:
    """Bring the dataset of a folder up to date with runs, which are read whole.

    Of all other runs in the files that are touched the manifests are looked at. The rows of a run
    that is damaged or has begun anew are left out; those of one whose folder is gone stay.

    Args:
        out: folder of runs.
        names: of runs; those that are not finished are passed over.

    Raises:
        WrongUse: the dataset cannot be written.
    """
    asked = sorted(set(names))
    if not asked:
        return Gathered([], {})
    try:
        require_writable(out / RESULTS)
    except WrongUse as error:
        cause = str(error).partition(";")[0]
        raise WrongUse(f"{cause}; all results are gathered there: make it writable") from None
    while True:
        try:
            with held(out / RESULTS):
                return _gather(out, asked)
        except Busy:  # another shard gathers
            time.sleep(WAIT_SECONDS)


def _gather(out: Path, asked: Sequence[str]) -> Gathered:
    """Bring all files up to date that hold one of the runs, and put an old whole one in parts."""
    whole, moved, lost = _file(out, WHOLE), SCHEMA.empty_table(), set[str]()
    parted = _is_parted(out)
    if parted and whole.exists():
        read = _read(whole)
        moved, lost = (moved, _finished(out)) if read is None else (read, lost)
    more = {*moved["run"].to_pylist(), *lost}
    members, others = _groups(out, asked), _groups(out, more)
    found = Gathered([], {})
    for group in sorted(members.keys() | others.keys()):
        rows, names = _rows_of(moved, others[group]), {*others[group]} & lost
        runs, left_out = _renew(out, group, set(members[group]), rows, names)
        found.runs.extend(runs)
        found.left_out.update(left_out)
    if parted:
        whole.unlink(missing_ok=True)
    return found


def _renew(out: Path, group: str, asked: set[str], moved: pa.Table, lost: set[str]) -> Gathered:
    """Bring one file up to date.

    Args:
        out: folder of runs.
        group: of the file.
        asked: runs that are read whole.
        moved: rows from another file.
        lost: finished runs whose rows may have been in another file.
    """
    table, names = _read(_file(out, group)), asked | lost
    damaged = table is None
    if table is None:
        names |= {name for name in _finished(out, group) if group in (WHOLE, part_of(name))}
        table = SCHEMA.empty_table()
    more = set(moved["run"].to_pylist()) - set(table["run"].to_pylist())
    table = pa.concat_tables([table, _rows_of(moved, more)])
    known = dict(zip(table["run"].to_pylist(), table["manifest"].to_pylist(), strict=True))
    kept, read, found, rows = [], [], Gathered([], {}), list[dict[str, Any]]()
    for name in sorted(names | known.keys()):
        folder = folder_of_run(out, name)
        try:
            if name in known and (not folder.exists() or _manifest_digest(folder) == known[name]):
                if name in asked and folder.exists():
                    load_manifest(folder)
                kept.append(name)
            elif (folder / MANIFEST).exists():
                rows += _rows(folder)
                read.append(name)
        except (Corrupt, NotARun, InvalidTask) as error:
            found.left_out[name] = str(error)
    if rows or more or damaged or len(kept) < len(known):
        new = pa.concat_tables([_rows_of(table, kept), pa.Table.from_pylist(rows, SCHEMA)])
        _write(_file(out, group), new.sort_by([("run", "ascending")]))
    found.runs.extend(name for name in [*kept, *read] if name in asked)
    return found


def _is_parted(out: Path) -> bool:
    return (out / part_of("")).is_dir()


def _groups(out: Path, names: Iterable[str]) -> dict[str, list[str]]:
    """Runs by the file that holds them."""
    parted, groups = _is_parted(out), defaultdict[str, list[str]](list)
    for name in names:
        groups[part_of(name) if parted else WHOLE].append(name)
    return groups


def _file(out: Path, group: str) -> Path:
    return out / RESULTS / f"{group}.parquet"


def _finished(out: Path, group: str = WHOLE) -> set[str]:
    """Names of finished runs that lie in a folder, or in a part of it."""
    places = [out] if group == WHOLE else [out, out / group]
    return {path.parent.name for place in places for path in place.glob(f"*/{MANIFEST}")}


def _manifest_digest(folder: Path) -> str | None:
    """SHA-256 of a run's manifest; None if there is none."""
    try:
        return hashlib.sha256(read_whole(folder / MANIFEST)).hexdigest()
    except OSError:
        return None


def _rows_of(table: pa.Table, names: Iterable[str]) -> pa.Table:
    return table.filter(pc.is_in(table["run"], pa.array(sorted(names), pa.string())))


def _read(file: Path) -> pa.Table | None:
    """What a file holds, nothing if it is not there; None if it is to be made again."""
    if not file.exists():
        return SCHEMA.empty_table()
    try:
        table = pq.read_table(pa.BufferReader(read_whole(file)), page_checksum_verification=True)
        recorded = (table.schema.metadata or {}).get(_SHA256)
        if table.schema.equals(SCHEMA) and recorded == _digest(table):
            return table.replace_schema_metadata(None)
    except (OSError, pa.ArrowException, ValueError):
        pass
    LOG.warning(
        "%s is damaged, was edited or is of another version; made again from the runs", file
    )
    return None


def _write(file: Path, table: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    signed = table.replace_schema_metadata({_SHA256: _digest(table)})
    pq.write_table(signed, sink, write_page_checksum=True)
    write_atomically(file, sink.getvalue().to_pybytes())


def _digest(table: pa.Table) -> bytes:
    """SHA-256 of all rows in their order, column by column: its values, and which row has which."""
    hasher = hashlib.sha256()
    for name in SCHEMA.names:
        column = table[name].combine_chunks().dictionary_encode()
        hasher.update(json.dumps([name, column.dictionary.to_pylist()]).encode())
        hasher.update(column.indices.fill_null(-1).to_numpy().astype("<i4").tobytes())
    return hasher.hexdigest().encode()


def _rows(folder: Path) -> list[dict[str, Any]]:
    """The measurements of a finished run, each with all that decides it."""
    manifest, config = load_manifest(folder), read_config(folder)
    about: dict[str, Any] = {**config.to_dict(), "title": config.title}
    about |= {name: manifest[name] for name in ("run", "source", "versions")}
    about |= {name: manifest.get(name) for name in ("threads", "accelerator")}
    about |= {"machine": manifest.get("machine", {}), "manifest": _manifest_digest(folder)}
    about["continued_from"] = manifest.get("continued_from", [])
    about["made_with"] = json.loads(read_whole(folder / CONFIG)).get("made_with", [])
    for name, value in about.items():
        if isinstance(value, dict | list):
            about[name] = json.dumps(value, sort_keys=True)
    about = {name: value for name, value in about.items() if name in SCHEMA.names}
    return [
        {**about, "step": row.step, "metric": row.metric, "value": row.value}
        for row in read_results(folder, manifest["run"])
    ]


def summary(out: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """The last score of runs that are gathered, those that differ in their seed alone together.

    Returns:
        By ``title`` (without the seed), ``steps``, ``n_envs`` and ``device``: ``runs`` (their
        number), ``seeds``, of the score ``mean``, ``low`` and ``high``, and ``made``
        (:func:`~metalocus.experiments.runs.records.places_of`, all that differ).
    """
    last: dict[str, dict[str, Any]] = {}
    for group, members in _groups(out, names).items():
        table = _read(_file(out, group))
        if table is None:
            continue
        scores = _rows_of(table.filter(pc.field("metric") == SCORE), members)
        for row in scores.to_pylist():
            if row["step"] >= last.get(row["run"], row)["step"]:
                last[row["run"]] = row
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, row in last.items():
        groups[name.rpartition("-s")[0]].append(row)
    found = [_summed(sorted(rows, key=lambda row: row["seed"])) for rows in groups.values()]
    return sorted(found, key=lambda row: [row[name] for name in ("title", *SHARED)])


SHARED = ("steps", "n_envs", "device")
"""Settings of runs that a title does not tell."""


def _summed(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One row of the summary, of runs that differ in their seed alone."""
    first, values = rows[0], [row["value"] for row in rows]
    found = {"title": first["title"].removesuffix(f" · seed {first['seed']}"), "runs": len(rows)}
    found |= {"mean": sum(values) / len(rows), "low": min(values), "high": max(values)}
    found |= {name: first[name] for name in SHARED}
    texts = ("versions", "machine", "continued_from")
    manifests = [{**row, **{name: json.loads(row[name]) for name in texts}} for row in rows]
    places = [place for manifest in manifests for place in places_of(manifest)]
    made = [place for i, place in enumerate(places) if place not in places[:i]]
    return {**found, "seeds": [row["seed"] for row in rows], "made": made}
