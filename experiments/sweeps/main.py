"""A whole sweep: its file, its runs, its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metalocus.experiments.sweeps.gather import RESULTS, gather, summary
from metalocus.experiments.sweeps.order import NO_LIMITS, Limits, RunFailed
from metalocus.experiments.sweeps.plan import read_plan
from metalocus.experiments.sweeps.sweep import in_shard, sweep


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
        ``runs`` (the number of those that are made), ``out``, ``results`` (the dataset), ``scores``
        (:func:`~metalocus.experiments.sweeps.gather.summary`), ``left_out`` (reasons by name),
        ``failed`` (names of those that are not made) and ``error`` (what the first one met; None if
        all are made).

    Raises:
        WrongUse, InvalidTask: the file asks for what there is not.
    """
    configs = read_plan(file)
    asked = in_shard((config.name for config in configs), shard)
    error = None
    try:
        sweep(configs, out, limits=limits, shard=shard)
    except RunFailed as failure:
        error = str(failure)
    made = gather(out, asked)
    return {
        **{"runs": len(made.runs), "out": str(out), "results": str(out / RESULTS)},
        **{"scores": summary(out, made.runs), "left_out": made.left_out},
        **{"failed": [name for name in asked if name not in {*made.runs, *made.left_out}]},
        "error": error,
    }
