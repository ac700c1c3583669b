"""What a probe found, as files and as entries in TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from torch.utils.tensorboard import SummaryWriter

from metalocus.agents.ppo.files import write_atomically
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.probes.figures import png_and_svg
from metalocus.experiments.probes.rows import Row, to_parquet
from metalocus.experiments.runs.provenance import made_by

SUFFIXES = ("json", "parquet", "png", "svg")
SETTINGS = ("agent", "env", "env_kwargs", "probe", "episodes", "seed")


def output_files(out: Path, probe: str) -> list[Path]:
    """The files that :func:`write_output` writes for a probe."""
    return [out / f"{probe}.{suffix}" for suffix in SUFFIXES]


def write_output(
    out: Path, result: Mapping[str, Any], recorded: Mapping[str, Any] | None = None
) -> list[Path]:
    """Write all that was measured, the tidy table and the figure; all of them or none.

    JSON and Parquet name settings, seed, code, packages and machine, and the run and the SHA-256
    of its weights.

    Args:
        out: folder; made if need be.
        result: of a probe, with its name.
        recorded: the manifest of the run; None if the agent is none.

    Returns:
        The files: JSON, Parquet, PNG, SVG.
    """
    probe = PROBES[result["probe"]]()
    found = dict(result)
    made = {**_of_run(recorded or {}), **made_by(type(probe).__module__)}
    settings = {name: found[name] for name in SETTINGS}
    contents = {
        "json": json.dumps(
            {**found, "sentence": probe.sentence(found), "made": made}, indent=2
        ).encode(),
        "parquet": _described(to_parquet(probe.rows(found)), {**settings, "made": made}),
        **png_and_svg(probe.draw(found)),
    }
    written = output_files(out, probe.name)
    try:
        for path in written:
            write_atomically(path, contents[path.suffix[1:]])
    except BaseException:  # such as a full disk: leave no half of it
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return written


def _of_run(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """The run that was measured, and the SHA-256 of its weights; None for an agent that is none."""
    return {"run": recorded.get("run"), "weights": recorded.get("sha256")}


def _described(parquet: bytes, about: Mapping[str, Any]) -> bytes:
    """A Parquet file with what it is about, as JSON, in its own key ``about``."""
    table = pq.read_table(pa.BufferReader(parquet))
    sink = pa.BufferOutputStream()
    described = table.replace_schema_metadata({"about": json.dumps(about)})
    pq.write_table(described, sink, write_page_checksum=True)
    return bytes(sink.getvalue().to_pybytes())


def write_tensorboard(folder: Path, result: Mapping[str, Any]) -> None:
    """Add what a probe found to a run: a new event file in its folder, tags ``probe/NAME/...``.

    Numbers by trial have the trial as step.

    Args:
        folder: of the run.
        result: of a probe, with its name.
    """
    probe, found = PROBES[result["probe"]](), dict(result)
    rows, about = probe.rows(found), f"probe/{probe.name}"
    with SummaryWriter(str(folder), filename_suffix=f".probe-{probe.name}") as writer:
        writer.add_text(f"{about}/finding", probe.sentence(found))
        writer.add_figure(f"{about}/figure", probe.draw(found))
        for tag, row in _tagged(rows):
            writer.add_scalar(f"{about}/{tag}", row.value, row.trial or 0)


def _tagged(rows: Sequence[Row]) -> list[tuple[str, Row]]:
    """The rows that have a value, each with the name of its series."""
    named = ((row, "/".join(filter(None, (row.quantity, row.label)))) for row in rows)
    return [(name.replace(" ", "_"), row) for row, name in named if row.value is not None]
