"""The main job: train what the claims need, measure, judge, write it down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from metalocus.agents.ppo.files import write_atomically
from metalocus.experiments.claims.base import CLAIMS, SIDES
from metalocus.experiments.claims.presets import Preset, preset_of
from metalocus.experiments.claims.study import RUNS, measure_all
from metalocus.experiments.debate.curves import CURVES
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.folder import load_manifest


def run_debate(preset_name: str, out: Path) -> dict[str, Any]:
    """The whole debate; everything that is done already is taken from ``out``.

    Returns:
        ``preset``, ``sides``, ``verdicts`` (one entry a claim) and ``curves``; also written
        to ``verdicts.json``, with ``report.html`` beside it.
    """
    from metalocus.experiments.debate.report import (  # drawing is slow to import
        VERDICTS,
        write_report,
    )

    preset = preset_of(preset_name)
    measured = measure_all([*CLAIMS.values(), CURVES], preset, out)
    found = {
        "preset": {"name": preset.name, "about": preset.about, "seeds": preset.seeds},
        "sides": SIDES,
        "verdicts": [claim.verdict(measured[claim.name]) for claim in CLAIMS.values()],
        "curves": CURVES.average(measured[CURVES.name]),
        "runs": _accounts(preset, out),
    }
    write_atomically(out / VERDICTS, json.dumps(found, indent=1).encode())
    write_report(out)
    return found


def run_claim(name: str, preset_name: str, out: Path) -> dict[str, Any]:
    """One claim alone; its runs and measurements are shared with :func:`run_debate`."""
    claim, preset = CLAIMS.find(name), preset_of(preset_name)
    return claim.verdict(measure_all([claim], preset, out)[claim.name])


def _accounts(preset: Preset, out: Path) -> list[dict[str, Any]]:
    """Every run with what it took, for the report."""
    configs: dict[str, RunConfig] = {}
    everything: list[Any] = [*CLAIMS.values(), CURVES]
    for asked in everything:
        for seed in range(preset.seeds):
            configs |= {config.name: config for config in asked.runs(preset, seed).values()}
    return [{"name": name, **load_manifest(out / RUNS / name)} for name in sorted(configs)]
