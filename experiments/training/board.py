"""A folder for TensorBoard in which runs bear their titles, with means over seeds beside them."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.folder import MANIFEST, RESULTS
from metalocus.experiments.folders.lease import require_writable
from metalocus.experiments.folders.results import SCORE, read_results
from metalocus.experiments.runs.listing import DAMAGED, list_runs
from metalocus.experiments.runs.records import load_manifest

MEAN = "mean of"
"""Begins the last part of a mean's name, ``mean of 3 seeds``."""
LONGEST_TITLE = 120
"""Characters of a folder's name before its seed; a file system takes 255 bytes."""
BANDS = {
    "score: 0 random choice, 1 best reference": SCORE,
    "regret: reward lost in an episode against the best reference": "regret/episode",
    "choice value of all trials: 0 chance, 1 best arm": "choice/mean",
    "knowledge at the last trial": "locus/total",
}
"""Charts of the mean over seeds, by title."""
Run = Mapping[str, Any]
"""An entry of :func:`~metalocus.experiments.runs.listing.list_runs`."""


def write_board(runs: Path, out: Path) -> list[Path]:
    """Make a folder of links to runs, each named by its title, and of means over seeds.

    A link leads to a run that may still go on. Settings with several seeds have a run more: at each
    step that all of them have measured, the mean over seeds under the metric's own name, so that it
    stands in one chart with the seeds, and under ``seeds/METRIC/`` ``mean``, ``low`` and ``high``
    (the lowest and the highest seed). Made again, the folder is renewed.

    Args:
        runs: folder of runs, of a debate or a comparison.
        out: the folder to make.

    Returns:
        What is in it.

    Raises:
        NotARun: no run is there.
        WrongUse: the folder cannot be written, holds something else, or is inside of ``runs``.
    """
    if runs.resolve() in (out.resolve(), *out.resolve().parents):
        raise WrongUse(f"{out} is inside of {runs}; choose another --out")
    found = [run for run in list_runs(runs) if not run["state"].startswith(DAMAGED)]
    _clear(out)
    require_writable(out)
    made = []
    for title, group in _titled(found).items():
        for seed, folder in group.items():
            made.append(out / f"{title} · seed {seed}")
            made[-1].symlink_to(os.path.relpath(folder, out), target_is_directory=True)
        measured = [numbers for folder in group.values() if (numbers := _measured(folder))]
        if len(measured) > 1:
            made.append(out / f"{title} · {MEAN} {len(measured)} seeds")
            _write_mean(made[-1], measured)
    return made


def _clear(out: Path) -> None:
    """Remove what an earlier call has made; nothing is removed if something else is there."""
    if not out.is_dir():
        return
    means = [path for path in out.iterdir() if not path.is_symlink()]
    inside = [file for path in means if path.is_dir() for file in path.iterdir()]
    ours = all(path.is_dir() and f" · {MEAN} " in path.name for path in means)
    if not ours or not all(file.name.startswith("events.out.tfevents") for file in inside):
        raise WrongUse(
            f"{out} holds other things than links and means of runs; choose another --out"
        )
    for file in inside:
        file.unlink()
    for path in means:
        path.rmdir()
    for link in out.iterdir():
        link.unlink()


def _titled(runs: Iterable[Run]) -> dict[str, dict[int, Path]]:
    """Folders by seed, of runs that differ in nothing else, by a title that no others have."""
    groups: dict[str, dict[int, Run]] = defaultdict(dict)
    for run in runs:
        stem = re.sub(r"-s\d+$", "", Path(run["folder"]).name)
        groups[stem][run["config"]["seed"]] = run
    first = {stem: next(iter(group.values())) for stem, group in groups.items()}
    titles = {stem: _title(run) for stem, run in first.items()}
    for more in ({stem: f"{run['total']:,} steps" for stem, run in first.items()}, _hashes(first)):
        times = Counter(titles.values())
        titles = {
            stem: f"{title} · {more[stem]}" if times[title] > 1 else title
            for stem, title in titles.items()
        }
    return {
        titles[stem]: {seed: Path(run["folder"]) for seed, run in sorted(group.items())}
        for stem, group in groups.items()
    }


def _hashes(stems: Iterable[str]) -> dict[str, str]:
    """The last part of a run's name before the seed, its hash; all of another name."""
    return {stem: stem.rpartition("-")[2] for stem in stems}


def _title(run: Run) -> str:
    """The title without the seed, as the name of a folder."""
    title = run["title"].removesuffix(f" · seed {run['config']['seed']}")
    return re.sub(r"[/\\\0]", "_", title)[:LONGEST_TITLE]


def _measured(folder: Path) -> dict[tuple[str, int], float]:
    """The measurements of a run so far, by metric and step."""
    if not (folder / RESULTS).exists():
        return {}
    name = load_manifest(folder)["run"] if (folder / MANIFEST).exists() else folder.name
    return {(row.metric, row.step): row.value for row in read_results(folder, name)}


def _write_mean(folder: Path, measured: Sequence[Mapping[tuple[str, int], float]]) -> None:
    """Write mean, lowest and highest of what all runs have measured, and charts of them."""
    common = set.intersection(*(set(each) for each in measured))
    charts = {
        title: ["Margin", [f"seeds/{metric}/{number}" for number in ("mean", "low", "high")]]
        for title, metric in BANDS.items()
    }
    with SummaryWriter(str(folder)) as writer:
        writer.add_custom_scalars({"all seeds: mean, lowest and highest": charts})
        for metric, step in sorted(common):
            values = np.array([each[metric, step] for each in measured])
            numbers = {"mean": values.mean(), "low": values.min(), "high": values.max()}
            writer.add_scalar(metric, numbers["mean"], step)
            for name, number in numbers.items():
                writer.add_scalar(f"seeds/{metric}/{name}", number, step)
