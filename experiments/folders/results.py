"""The measurements made during a run: ``results.parquet``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from metalocus.agents.ppo.files import Corrupt, write_atomically
from metalocus.experiments.folders.folder import RESULTS, read_whole

SCORE = "score/episode"
"""Of the whole episode: 0 is random choice, 1 the best reference of the task."""
EPISODES = 512
"""Played for each measurement: a standard error of about 2% of a score, in about a second."""
SEED = 5_000_000
"""Of the episodes measured on during training; those reported afterwards have other seeds."""
_RUN, _SHA256 = b"metalocus.run", b"metalocus.sha256"


@dataclass(frozen=True)
class Measurement:
    """One row of a run's results: a metric's value after so many steps."""

    step: int
    metric: str
    value: float


def write_results(folder: Path, run: str, rows: Sequence[Measurement]) -> None:
    """Write all measurements of a run, with its name and a SHA-256 of name and rows.

    Args:
        folder: of the run.
        run: its name.
        rows: in the order of training.
    """
    columns = {name: [getattr(row, name) for row in rows] for name in ("step", "metric", "value")}
    metadata = {_RUN: run.encode(), _SHA256: _digest(run, rows)}
    table = pa.table(columns).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, write_page_checksum=True)
    write_atomically(folder / RESULTS, sink.getvalue().to_pybytes())


def read_results(folder: Path, run: str) -> list[Measurement]:
    """All measurements of a run, in the order of training.

    Raises:
        Corrupt: the file is missing, damaged, or of another run.
    """
    path = folder / RESULTS
    try:
        table = pq.read_table(pa.BufferReader(read_whole(path)), page_checksum_verification=True)
        rows = [Measurement(**row) for row in table.to_pylist()]
        metadata = table.schema.metadata or {}
        intact = metadata[_SHA256] == _digest(run, rows) and metadata[_RUN] == run.encode()
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        intact = False
    if not intact:
        raise Corrupt(
            f"{path} is damaged or of another run; delete it, then the same command goes on"
            " without the measurements made so far"
        )
    return rows


def _digest(run: str, rows: Sequence[Measurement]) -> bytes:
    """SHA-256 of a run's name and measurements: page checksums do not cover the file's footer."""
    text = json.dumps([run, *(astuple(row) for row in rows)])
    return hashlib.sha256(text.encode()).hexdigest().encode()
