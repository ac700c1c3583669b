"""The main job: train what the claims need, measure, judge, write it down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metalocus.agents.ppo.files import write_record
from metalocus.experiments.claims.base import CLAIMS, SIDES
from metalocus.experiments.debate.curves import CURVES
from metalocus.experiments.debate.headline import headline
from metalocus.experiments.debate.made import made
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import NAMED
from metalocus.experiments.runs.records import load_manifest, versions
from metalocus.experiments.studies.job import RUNS, measuring_source
from metalocus.experiments.studies.measure_all import measure_all
from metalocus.experiments.studies.presets import Preset, preset_of
from metalocus.experiments.studies.study import Study

AGENT = "LSTM"
"""That the claims are about, in words."""


def run_debate(preset_name: str, out: Path) -> dict[str, Any]:
    """Make the whole debate; everything that is done already is taken from ``out``.

    Args:
        preset_name: see :data:`~metalocus.experiments.studies.presets.PRESETS`.
        out: folder for runs, measurements, verdicts and report.

    Returns:
        ``preset``, ``tasks`` (titles by name), ``sides``, ``headline`` (three sentences),
        ``verdicts`` (one entry a claim), ``curves``, ``runs``, ``source`` (by study, a digest of
        the code that measured), ``versions`` and ``made``
        (:func:`~metalocus.experiments.debate.made.made`). The same is written to
        ``verdicts.json``, with ``report.html`` beside it.

    Raises:
        InvalidTask: no such preset.
        WrongUse, RunFailed, NonFinite: see
            :func:`~metalocus.experiments.studies.measure_all.measure_all`.
    """
    from metalocus.experiments.debate.report import (  # drawing is slow to import
        VERDICTS,
        write_report,
    )

    preset = preset_of(preset_name)
    studies: list[Study] = [*CLAIMS.values(), CURVES]
    measured = measure_all(studies, preset, out)
    found = {
        "preset": {"name": preset.name, "about": preset.about, "seeds": preset.seeds},
        "tasks": {name: setting.title for name, setting in NAMED.items()},
        "sides": SIDES,
        "verdicts": [claim.verdict(measured[claim.name]) for claim in CLAIMS.values()],
        "curves": CURVES.average(measured[CURVES.name]),
        "runs": _accounts(studies, preset, out),
        "source": {study.name: measuring_source(study) for study in studies},
        "versions": versions(),
        "made": made(),
    }
    found["headline"] = headline(AGENT, found)
    write_record(out / VERDICTS, found)
    write_report(out)
    return found


def run_claim(name: str, preset_name: str, out: Path) -> dict[str, Any]:
    """Judge one claim alone; its runs and measurements are shared with :func:`run_debate`.

    Args:
        name: of the claim.
        preset_name: as for :func:`run_debate`.
        out: folder for runs and measurements.

    Raises:
        InvalidTask: no such claim or preset.
        WrongUse, RunFailed, NonFinite: see :func:`run_debate`.
    """
    claim, preset = CLAIMS.find(name), preset_of(preset_name)
    return claim.verdict(measure_all([claim], preset, out)[claim.name])


def _accounts(studies: list[Study], preset: Preset, out: Path) -> list[dict[str, Any]]:
    """What was recorded when each run was finished, with its title and the studies it serves."""
    configs: dict[str, RunConfig] = {}
    serves: dict[str, list[str]] = {}
    for study in studies:
        for seed in range(preset.seeds):
            for config in study.runs(preset, seed).values():
                configs[config.name] = config
                served = serves.setdefault(config.name, [])
                served += [study.name] * (study.name not in served)
    return [
        {"name": name, "title": configs[name].title, "serves": serves[name], **manifest}
        for name in sorted(configs)
        for manifest in [load_manifest(out / RUNS / name)]
    ]
