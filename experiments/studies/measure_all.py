"""Training what studies need, and measuring it at every seed in processes of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from metalocus.agents.ppo.files import Corrupt
from metalocus.experiments.display import Stage
from metalocus.experiments.folders.lease import require_writable
from metalocus.experiments.studies.job import RUNS, Job
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured, Study, require_measured
from metalocus.experiments.sweeps.executors.chosen import in_processes
from metalocus.experiments.sweeps.sweep import sweep

Found = dict[str, dict[int, Measured]]
"""What was measured, by study and training seed."""


def measure_all(studies: Iterable[Study], preset: Preset, out: Path) -> Found:
    """Train and measure at every seed of a study; what is done already is taken from ``out``.

    Args:
        studies: what to measure.
        preset: seeds, steps and episodes.
        out: folder of runs and measurements.

    Raises:
        WrongUse: ``out`` cannot be written.
        RunFailed: see :func:`~metalocus.experiments.sweeps.sweep.sweep`, or a measuring process
            was killed.
        NonFinite: a number that was measured is not finite.
    """
    require_writable(out)
    studies = list(studies)
    runs = out / RUNS
    pairs = [(study, seed) for study in studies for seed in study.seeds(preset)]
    sweep((run for study, seed in pairs for run in study.runs(preset, seed).values()), runs)
    later = [study.later_runs(preset, seed, runs) for study, seed in pairs]
    # each stage of all studies at once, as long as one has another
    while any(stages := [next(each, {}) for each in later]):
        sweep((run for stage in stages for run in stage.values()), runs)
    found: Found = {study.name: {} for study in studies}
    missing = []
    for each in [Job.of(study, preset, seed, out) for study, seed in pairs]:
        try:
            found[each.study.name][each.seed] = each.kept()
        except Corrupt as error:
            missing.append(each)
            if each.file.exists():
                print(error, file=sys.stderr)
    _measure(missing, found)
    for name, by_seed in found.items():
        require_measured(name, by_seed)
    return {name: dict(sorted(by_seed.items())) for name, by_seed in found.items()}


def _measure(missing: Sequence[Job], found: Found) -> None:
    """Add to ``found`` what was not measured before, a process a core."""
    with Stage("measuring", len(missing), "measurements") as stage:
        done = in_processes([each.make for each in missing])
        for count, (number, values) in enumerate(done, 1):
            job = missing[number]
            found[job.study.name][job.seed] = values
            stage.update(count)
            stage.finished(f"{job.study.name} at seed {job.seed}", count, len(missing))
