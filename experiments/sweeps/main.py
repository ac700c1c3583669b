"""A whole sweep: its file, its runs, its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metalocus.experiments.sweeps.gather import RESULTS, gather, summary
from metalocus.experiments.sweeps.order import NO_LIMITS, Limits, RunFailed
from metalocus.experiments.sweeps.plan import read_plan
from metalocus.experiments.sweeps.sweep import sweep


def run_sweep(
    file: Path, out: Path, limits: Limits = NO_LIMITS, shard: tuple[int, int] = (1, 1)
) -> dict[str, Any]:
    """Make all runs that a file asks for, and gather what was measured.

    Args:
        file: of the sweep.
        out: folder of runs.
        limits: of one attempt at one run.
        shard: which part of the runs, of how many.

    Returns:
        ``runs`` (their number), ``out``, ``results`` (the dataset), ``scores``
        (:func:`~metalocus.experiments.sweeps.gather.summary`) and ``left_out`` (reasons by name).

    Raises:
        WrongUse, InvalidTask: the file asks for what there is not.
        RunFailed: a run failed; the others are gathered.
    """
    configs = read_plan(file)
    try:
        made = list(sweep(configs, out, limits=limits, shard=shard))
    except RunFailed as error:
        if error.done:
            gather(out, error.done)
        raise
    left_out = gather(out, made) if made else {}
    scores = summary(out, made) if made else []
    found = {"runs": len(made), "out": str(out), "results": str(out / RESULTS)}
    return {**found, "scores": scores, "left_out": left_out}
