"""Run directories: what a training run leaves behind, and how it is read back.

config.json         the settings, written first
checkpoint          to continue from, gone when the run is done
weights.safetensors the trained policy
meta.json           its SHA-256, its observation layout and the versions that made it
results.parquet     step, metric, value: every measurement during training
events.out.tfevents TensorBoard
manifest.json       written last; its presence means the run is done
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import platform
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from metalocus.agents.ppo.files import Corrupt, write_atomically, write_tensors
from metalocus.agents.ppo.policy import SequencePolicy, n_parameters
from metalocus.experiments.runs.config import RunConfig

CONFIG, CHECKPOINT, MANIFEST = "config.json", "checkpoint", "manifest.json"
WEIGHTS, META, RESULTS = "weights.safetensors", "meta.json", "results.parquet"
LOCK, PROGRESS = ".lock", ".progress"
_SHA256 = b"metalocus.sha256"


class NotARun(ValueError):
    """A folder that holds no finished run."""


class Busy(RuntimeError):
    """Another process is working in the folder."""


@dataclass(frozen=True)
class Measurement:
    """One row of a run's results: a metric's value after so many steps."""

    step: int
    metric: str
    value: float


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Hold the folder for this process alone; :class:`Busy` if another holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Busy(f"another process is writing {folder}; wait for it or stop it") from None
        for half_written in folder.glob(".*.tmp"):  # by a process that was killed
            half_written.unlink()
        yield


def is_done(folder: Path) -> bool:
    """Whether the run in the folder is finished."""
    return (folder / MANIFEST).is_file()


def read_config(folder: Path) -> RunConfig:
    """The settings of the run in a folder.

    Raises:
        NotARun: there is none, or its config is damaged.
    """
    try:
        return RunConfig.from_json((folder / CONFIG).read_text())
    except (OSError, ValueError, TypeError):
        raise NotARun(f"{folder} is not a run directory (no readable {CONFIG})") from None


def write_progress(folder: Path, done: int, total: int) -> None:
    """Leave word of the steps done, for whoever watches."""
    (folder / PROGRESS).write_text(f"{done} {total}")


def read_progress(folder: Path) -> int | None:
    """Steps done at the last word, None if there is none."""
    try:
        return int((folder / PROGRESS).read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def write_results(folder: Path, rows: Sequence[Measurement]) -> None:
    """Write all measurements, with page checksums and a SHA-256 of the rows."""
    columns = {name: [getattr(row, name) for row in rows] for name in ("step", "metric", "value")}
    table = pa.table(columns).replace_schema_metadata({_SHA256: _digest(rows)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, write_page_checksum=True)
    write_atomically(folder / RESULTS, sink.getvalue().to_pybytes())


def read_results(folder: Path) -> list[Measurement]:
    """All measurements of a run.

    Raises:
        Corrupt: the file is missing or damaged.
    """
    try:
        table = pq.read_table(folder / RESULTS, page_checksum_verification=True)
        rows = [Measurement(**row) for row in table.to_pylist()]
        intact = table.schema.metadata[_SHA256] == _digest(rows)
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        intact = False
    if not intact:
        raise Corrupt(f"{folder / RESULTS} is damaged; delete the run and train again")
    return rows


def _digest(rows: Sequence[Measurement]) -> bytes:
    """SHA-256 of measurements: page checksums do not cover the file's footer."""
    return hashlib.sha256(json.dumps([astuple(row) for row in rows]).encode()).hexdigest().encode()


def load_manifest(folder: Path) -> dict[str, Any]:
    """What was recorded when the run finished.

    Raises:
        NotARun: it has not finished.
        Corrupt: the record is damaged.
    """
    read_config(folder)
    if not is_done(folder):
        raise NotARun(f"{folder} is an unfinished run; repeat its train command to continue it")
    return read_record(folder / MANIFEST)


def read_record(path: Path) -> dict[str, Any]:
    """A manifest or meta file; :class:`Corrupt` unless it records the weights."""
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        record = None
    if not isinstance(record, dict) or "sha256" not in record:
        raise Corrupt(f"{path} is damaged; delete the run and train again")
    return record


def write_finished(
    policy: SequencePolicy, config: RunConfig, folder: Path, account: dict[str, Any]
) -> None:
    """Write the weights, what they are, and last of all the manifest."""
    digest = write_tensors(folder / WEIGHTS, dict(policy.state_dict()), {})
    layout = config.setting.layout
    parts = {name: [where.start, where.stop] for name, where in layout.slices.items()}
    meta = {"run": config.name, "sha256": digest, "layout": parts, "versions": versions()}
    write_atomically(folder / META, json.dumps(meta, indent=2).encode())
    manifest = {**account, "parameters": n_parameters(policy), "sha256": digest}
    write_atomically(folder / MANIFEST, json.dumps(manifest, indent=2).encode())
    (folder / CHECKPOINT).unlink(missing_ok=True)


def versions() -> dict[str, str]:
    """Of Python and the libraries that decide a run's numbers."""
    packages = ("metalocus", "torch", "numpy", "gymnasium", "stable-baselines3")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
