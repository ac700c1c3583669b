"""Training what is asked for, measuring it, and keeping what was measured."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import joblib
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError
from rich.console import Console
from rich.progress import track

from metalocus.agents.ppo.files import write_atomically
from metalocus.experiments.claims.presets import Preset
from metalocus.experiments.runs.folder import load_manifest
from metalocus.experiments.runs.load import load_agent
from metalocus.experiments.training.sweep import RunFailed, sweep

RUNS, MEASURED = "runs", "measured"
MEASURING = 1
"""Version of what is measured: raise it when a task, a probe, a claim, or an agent that is not
trained changes, so that no number is taken for one that was measured otherwise."""
EVALUATION_SEED = 20_000
"""Episodes of training seed s are those of seed EVALUATION_SEED + s: never trained on, and
other than those that online learners are tuned on."""


def measure_all(asked: Iterable[Any], preset: Preset, out: Path) -> dict[str, dict[int, Any]]:
    """Train and measure for every seed, or take it from ``out``: by name and seed.

    Args:
        asked: each has a ``name``, ``runs(preset, seed)`` and ``measure(agents, preset, seed)``, as
            a :class:`~metalocus.experiments.claims.base.Claim` has.
        preset: seeds, steps and episodes.
        out: folder of runs and measurements.

    Raises:
        RunFailed: see :func:`~metalocus.experiments.training.sweep.sweep`, or a worker was killed.
    """
    asked = list(asked)
    seeds = range(preset.seeds)
    sweep(
        (run for each in asked for s in seeds for run in each.runs(preset, s).values()), out / RUNS
    )
    jobs = [(each, seed) for each in asked for seed in seeds]
    parallel = joblib.Parallel(n_jobs=os.cpu_count() or 1, return_as="generator")
    answers = parallel(joblib.delayed(_measured)(each, preset, seed, out) for each, seed in jobs)
    console = Console(stderr=True)
    shown = track(
        answers,
        "measuring",
        total=len(jobs),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    found: dict[str, dict[int, Any]] = {each.name: {} for each in asked}
    try:
        for (each, seed), values in zip(jobs, shown, strict=True):
            found[each.name][seed] = values
    except TerminatedWorkerError:
        raise RunFailed("a measuring process was killed; repeat the command to go on") from None
    return found


def _measured(asked: Any, preset: Preset, seed: int, out: Path) -> Any:
    """One claim's measurement of one seed, kept in a file named by what it depends on."""
    torch.set_num_threads(1)
    configs = asked.runs(preset, seed)
    runs = {n: [c.name, load_manifest(out / RUNS / c.name)["sha256"]] for n, c in configs.items()}
    key = json.dumps([MEASURING, asked.name, preset.episodes, seed, runs], sort_keys=True)
    file = (
        out / MEASURED / f"{asked.name}-s{seed}-{hashlib.sha256(key.encode()).hexdigest()[:8]}.json"
    )
    with suppress(OSError, ValueError):  # not measured yet, or damaged
        return json.loads(file.read_text())
    agents = {name: load_agent(out / RUNS / c.name)[0] for name, c in configs.items()}
    text = json.dumps(asked.measure(agents, preset, EVALUATION_SEED + seed))
    write_atomically(file, text.encode())
    return json.loads(text)
