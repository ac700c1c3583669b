"""Running a replication: train, measure, judge; what is done already is taken from the folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from metalocus.envs import InvalidTask
from metalocus.envs.discovery import unknown
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.results import SCORE, read_results
from metalocus.experiments.replications.base import REPLICATIONS, SIZES, Part, Replication
from metalocus.experiments.replications.found import Found, judged, read_found
from metalocus.experiments.runs.provenance import made_by
from metalocus.experiments.runs.records import load_manifest
from metalocus.experiments.studies.job import RUNS
from metalocus.experiments.studies.measure_all import measure_all
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import all_runs


def replicate(
    name: str,
    size_name: str,
    out: Path,
    parts: Sequence[str] | None = None,
    device: str = "cpu",
) -> Found:
    """Run a published result again, all of it or some parts.

    Parts that were run before at the same size, and are not asked for now, are kept.

    Args:
        name: of the replication.
        size_name: one of ``SIZES``.
        out: folder of runs, measurements and results.
        parts: names of its parts; None for all.
        device: to train on, ``cpu`` or ``cuda``.

    Returns:
        The replication in words, its ``size``, the ``parts`` with what was measured by seed, the
        ``published`` figures, and the ``checks`` with their outcomes; ready for JSON.

    Raises:
        InvalidTask: no such replication or size.
        WrongUse: no such part, or a folder that cannot be written.
        RunFailed, NonFinite: see :func:`~metalocus.experiments.studies.measure_all.measure_all`.
    """
    replication = REPLICATIONS.find(name)
    if size_name not in SIZES:
        raise InvalidTask(unknown("size", size_name, SIZES))
    size = replace(SIZES[size_name], device=device)
    done = _kept(replication, size_name, out)
    for part in _chosen(replication, parts):
        own = measure_all([part], part.sized(size), out)[part.name]
        done[part.name] = {
            "seeds": {str(seed): dict(values) for seed, values in own.items()},
            "trained": {str(seed): trained(part, size, seed, out) for seed in own},
            "made": made_by(type(part).__module__),
        }
    return judged(replication, size_name, done)


def trained(part: Part, size: Preset, seed: int, out: Path) -> dict[str, dict[str, Any]]:
    """Of every training of a part its ``cpu_minutes``, and its score by steps as ``curve``."""
    found = {}
    for name, config in all_runs(part, size, seed, out / RUNS).items():
        folder = out / RUNS / config.name
        seconds = float(load_manifest(folder)["training_cpu_seconds"])
        rows = [row for row in read_results(folder, config.name) if row.metric == SCORE]
        curve = [[row.step, round(row.value, 4)] for row in rows]
        found[name] = {"cpu_minutes": round(seconds / 60.0, 2), "curve": curve}
    return found


def _chosen(replication: Replication, names: Sequence[str] | None) -> list[Part]:
    """The parts asked for, each once; all if None."""
    if names is None:
        return list(replication.parts)
    known = {part.name: part for part in replication.parts}
    for name in names:
        if name not in known:
            raise WrongUse(unknown(f"part of {replication.name}", name, known))
    return [known[name] for name in dict.fromkeys(names)]


def _kept(replication: Replication, size: str, out: Path) -> dict[str, Any]:
    """The replication's parts that were measured before, at the same size."""
    found = read_found(replication.name, out)
    if found is None or found["size"] != size:
        return {}
    names = {part.name for part in replication.parts}
    return {name: part for name, part in found["parts"].items() if name in names and part["seeds"]}
