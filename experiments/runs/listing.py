"""The runs in a folder, one entry each, whatever state they are in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metalocus.agents.ppo.files import Corrupt
from metalocus.envs import InvalidTask
from metalocus.experiments.folders.folder import CONFIG, MANIFEST, RESULTS, NotARun
from metalocus.experiments.folders.progress import read_progress
from metalocus.experiments.folders.results import SCORE, read_results
from metalocus.experiments.runs.records import load_manifest, places_of, read_config

PATTERNS = (CONFIG, f"*/{CONFIG}", f"*/*/{CONFIG}", f"*/{'[0-9a-f]' * 2}/*/{CONFIG}")
"""A run, runs, those of a debate or in parts of a folder, and those in parts of a debate's."""
FINISHED, UNFINISHED, DAMAGED = "finished", "unfinished", "damaged"


def list_runs(folder: Path) -> list[dict[str, Any]]:
    """The runs in a folder and in its folders, ready for JSON, by title and folder.

    Args:
        folder: of runs, of a debate or a comparison, or a run itself.

    Returns:
        For each run ``title``, ``steps`` done and ``total`` to do, ``score`` as last measured
        (None where there is none), ``state`` (finished, unfinished, or damaged:
        with the reason), ``folder``, ``config``, and ``made``: all places where it was made
        (:func:`~metalocus.experiments.runs.records.places_of`; none before it is finished).

    Raises:
        NotARun: no run is there.
    """
    found = []
    for pattern in PATTERNS:
        found += [_entry(path.parent) for path in folder.glob(pattern)]
    if not found:
        raise NotARun(f"{folder} holds no runs")
    return sorted(found, key=lambda entry: (entry["title"], entry["folder"]))


def _entry(folder: Path) -> dict[str, Any]:
    """What is known of the run in a folder."""
    entry: dict[str, Any] = {"title": folder.name, "steps": 0, "total": 0, "score": None}
    entry |= {"state": UNFINISHED, "folder": str(folder), "config": None, "made": []}
    try:
        config = read_config(folder)
        entry |= {"total": config.steps, "config": config.to_dict(), "title": config.title}
        if (folder / MANIFEST).exists():
            manifest = load_manifest(folder)
            rows = read_results(folder, manifest["run"])
            entry |= {"state": FINISHED, "steps": manifest["steps"], "made": places_of(manifest)}
        else:
            rows = read_results(folder, folder.name) if (folder / RESULTS).exists() else []
            progress = read_progress(folder)
            entry["steps"] = max([0, *(row.step for row in rows)])
            entry["steps"] = max(entry["steps"], 0 if progress is None else progress.steps)
        scores = [row.value for row in rows if row.metric == SCORE]
        entry["score"] = scores[-1] if scores else None
    except (Corrupt, InvalidTask, NotARun) as error:
        entry["state"] = f"{DAMAGED}: {error}"
    return entry
