"""One study at one training seed: what it depends on, its measurement, the file that keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metalocus.agents.catalogue import CONTROLS, ONLINE, REFERENCES
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.files import Corrupt, read_record, record_digest, write_record
from metalocus.envs import FAMILIES
from metalocus.experiments.runs.load import load_agent
from metalocus.experiments.runs.records import load_manifest, versions
from metalocus.experiments.runs.source import source_digest
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured, Study, all_runs, require_measured

RUNS, MEASURED = "runs", "measured"
EVALUATION_SEED = 20_000
"""Episodes of training seed s are those of seed EVALUATION_SEED + s: never trained on, and
other than those that online learners are tuned on."""


@dataclass(frozen=True)
class Job:
    """A study at one training seed, with all that decides its numbers.

    Attributes:
        study: what is measured.
        preset: how many episodes are played.
        seed: of training.
        out: folder of runs and measurements.
        key: study, seed, episodes, every run with the SHA-256 of its weights, a digest of the
            source that measures, and versions of the libraries; ready for JSON.
    """

    study: Study
    preset: Preset
    seed: int
    out: Path
    key: Mapping[str, Any]

    @classmethod
    def of(cls, study: Study, preset: Preset, seed: int, out: Path) -> Job:
        """The measurement of a study, whose runs are finished.

        Raises:
            NotARun, Corrupt: a run is not finished, or is another one than its folder's name says.
        """
        runs = {}
        for name, config in all_runs(study, preset, seed, out / RUNS).items():
            manifest = load_manifest(out / RUNS / config.name)
            runs[name] = {"run": config.name, "sha256": manifest["sha256"]}
        key = {
            "study": study.name,
            "seed": seed,
            "episodes": preset.episodes,
            "runs": runs,
            "source": measuring_source(study),
            "versions": versions(),
        }
        return cls(study, preset, seed, out, key)

    @property
    def file(self) -> Path:
        """Where it is kept; the name carries a digest of the key."""
        short = record_digest(self.key)[:8]
        return self.out / MEASURED / f"{self.study.name}-s{self.seed}-{short}.json"

    def kept(self) -> Measured:
        """What was measured before.

        Raises:
            Corrupt: there is no such file, or it is damaged or that of something else.
        """
        record = read_record(self.file, "it is made again")
        values: Measured = record.pop("values", {})
        if record != self.key:
            raise Corrupt(f"{self.file} is that of another measurement; it is made again")
        return values

    def make(self) -> Measured:
        """Measure, and keep it.

        Raises:
            NonFinite: something that was measured is not a finite number.
            NotARun, Corrupt: see :func:`~metalocus.experiments.runs.load.load_agent`.
        """
        runs = self.out / RUNS
        agents = {
            name: load_agent(runs / config.name)[0]
            for name, config in all_runs(self.study, self.preset, self.seed, runs).items()
        }
        values = self.study.measure(agents, self.preset, EVALUATION_SEED + self.seed)
        require_measured(self.study.name, {self.seed: values})
        write_record(self.file, {**self.key, "values": values})
        return self.kept()


def measuring_source(study: Study) -> str:
    """A digest of the source that a study's numbers depend on.

    That is the study's module and this one with all that they import, and all that is found by
    name: families, cells, references, online rules and controls.
    """
    registries = (FAMILIES, TRAINABLES, REFERENCES, ONLINE, CONTROLS)
    found = {module for registry in registries for module in registry.sources()}
    return source_digest(type(study).__module__, __name__, *found)
