"""Measurements made during a run come back as written, or are refused."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metalocus.agents.ppo.files import Corrupt
from metalocus.experiments.folders.folder import RESULTS
from metalocus.experiments.folders.results import Measurement, read_results, write_results

ROWS = [Measurement(step, name, step + 0.1) for step in (0, 20, 40) for name in ("a/b", "c/d")]


def test_results_come_back_as_written(tmp_path):
    for rows in (ROWS, []):
        write_results(tmp_path, "run", rows)
        assert read_results(tmp_path, "run") == rows


def test_another_runs_results_are_refused(tmp_path):
    for rows in (ROWS, []):
        write_results(tmp_path, "run", rows)
        with pytest.raises(Corrupt, match="is damaged or of another run; delete it, then"):
            read_results(tmp_path, "other")


def test_damaged_results_are_refused(tmp_path):
    """A flipped bit is found, or is of no consequence."""
    write_results(tmp_path, "run", ROWS)
    data, refused = (tmp_path / RESULTS).read_bytes(), 0
    for place in range(0, len(data), 3):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        (tmp_path / RESULTS).write_bytes(bytes(flipped))
        try:
            assert read_results(tmp_path, "run") == ROWS, place
        except Corrupt:
            refused += 1
    assert refused > len(data) / 9
    for length in range(0, len(data), 64):
        (tmp_path / RESULTS).write_bytes(data[:length])
        with pytest.raises(Corrupt, match="is damaged"):
            read_results(tmp_path, "run")


def test_results_that_are_missing_or_foreign_are_refused(tmp_path):
    path = tmp_path / RESULTS
    makers = (
        lambda: None,
        lambda: pq.write_table(pa.table({"step": [1], "metric": ["a"], "value": [0.5]}), path),
        lambda: (path.unlink(), os.mkfifo(path)),  # nobody writes to it
        lambda: (path.unlink(), path.mkdir()),
    )
    for make in makers:
        make()
        with pytest.raises(Corrupt):
            read_results(tmp_path, "run")
