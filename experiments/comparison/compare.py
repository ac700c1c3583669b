"""Every agent on every kind of task, beside the references: one table, each entry kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import ONLINE, REFERENCES, best_reference, make_named
from metalocus.agents.cells.base import TRAINABLES
from metalocus.envs.discovery import unknown
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import (
    BANDIT,
    BINDING,
    DATASET,
    FIVE_ARMS,
    REVERSAL,
    RULES,
    NamedSetting,
)
from metalocus.experiments.runs.provenance import made_by
from metalocus.experiments.runs.records import load_manifest
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.job import RUNS
from metalocus.experiments.studies.measure_all import measure_all
from metalocus.experiments.studies.presets import Preset, preset_of
from metalocus.experiments.studies.study import Study

SETTINGS = (BANDIT, FIVE_ARMS, REVERSAL, RULES, BINDING, DATASET)
STEPS = {"smoke": 3_000, "quick": 2_000_000, "full": 10_000_000}
"""Environment steps of every agent that is trained, by preset."""
LONGER = {"five_arms": 2.0}
"""Factor on the steps, for settings that take longer to learn."""


@dataclass(frozen=True)
class Entry(Study):
    """One agent on one setting: a study with a single number.

    Attributes:
        agent: a trainable agent, an online learner or a reference.
        setting: what it plays.
    """

    agent: str
    setting: NamedSetting

    @property
    def name(self) -> str:
        """Of the agent and the setting."""
        return f"{self.agent}-on-{self.setting.name}"

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """Its training run; none for an agent that is not trained."""
        if self.agent not in TRAINABLES:
            return {}
        steps = round(STEPS[preset.name] * LONGER.get(self.setting.name, 1.0))
        return {self.agent: RunConfig.suited(self.setting, self.agent, steps, seed)}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> dict[str, float]:
        """``score`` on fresh episodes: 0 at random choice and 1 at the best reference."""
        agent = agents.get(self.agent) or make_named(self.agent, self.setting.family)
        return {"score": score(agent, self.setting, preset.episodes, seed)}


def compare(
    preset_name: str,
    out: Path,
    agents: Sequence[str] | None = None,
    tasks: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Train and measure every agent on every setting; what is done is taken from ``out``.

    Args:
        preset_name: seeds and episodes are those of the debate's preset, steps are ``STEPS``.
        out: folder of runs and measurements.
        agents: names of agents; None for all that are trained or learn online, and the references.
        tasks: short names of settings; None for all.

    Returns:
        ``preset``, ``made`` (by which code, where), ``tasks`` and ``entries``: agent, kind, task,
        and by seed the score, the run and what training took.

    Raises:
        InvalidTask: no such preset.
        WrongUse: an unknown agent or setting, a list without a name, an agent that can play none
            of the settings, or a folder that cannot be written.
        RunFailed: a run could not be made; all others were.
        NonFinite: a score is not finite.
    """
    preset = preset_of(preset_name)
    chosen = _chosen("task", tasks, _titles())
    entries = _entries(_chosen("agent", agents, _kinds()), chosen)
    playing = {entry.agent for entry in entries}
    idle = [name for name in agents or () if name not in playing]
    if idle:
        raise WrongUse(f"{', '.join(idle)} can play none of {', '.join(chosen)}; name other ones")
    measured = measure_all(entries, preset, out)
    return {
        "preset": {"name": preset.name, "seeds": preset.seeds, "episodes": preset.episodes},
        "made": made_by(__name__),
        "tasks": {entry.setting.name: _about(entry.setting) for entry in entries},
        "entries": [_row(entry, measured[entry.name], preset, out) for entry in entries],
    }


def _kinds() -> dict[str, str]:
    """Every agent that can be asked for, with its kind."""
    trained = dict.fromkeys(TRAINABLES, "trained")
    online = dict.fromkeys(ONLINE, "online")
    return {**trained, **online, **dict.fromkeys(REFERENCES, "reference")}


def _titles() -> dict[str, str]:
    return {setting.name: setting.title for setting in SETTINGS}


def _chosen(kind: str, names: Sequence[str] | None, known: Mapping[str, str]) -> list[str]:
    """The names asked for, each once; all that there are if None."""
    if names is None:
        return list(known)
    if not names:
        raise WrongUse(f"name at least one {kind}, or leave --{kind}s out for all")
    for name in names:
        if name not in known:
            raise WrongUse(unknown(kind, name, known))
    return list(dict.fromkeys(names))


def _entries(agents: Sequence[str], settings: Sequence[str]) -> list[Entry]:
    """The agents on those of the named settings that they can play."""
    chosen = [setting for setting in SETTINGS if setting.name in settings]
    pairs = [Entry(agent, setting) for agent in agents for setting in chosen]
    return [entry for entry in pairs if _can_play(entry.agent, entry.setting)]


def _can_play(agent: str, setting: NamedSetting) -> bool:
    """Whether an agent can play a setting; those that are trained can play all."""
    if agent in TRAINABLES:
        return True
    return {**REFERENCES, **ONLINE}[agent].why_not(setting.family) is None


def _about(setting: NamedSetting) -> dict[str, Any]:
    best = best_reference(setting.family).name
    return {"title": setting.title, **setting.to_dict(), "best": best}


def _row(entry: Entry, measured: Mapping[int, Any], preset: Preset, out: Path) -> dict[str, Any]:
    """One entry with what was measured and what it took, for every seed."""
    seeds = [{"seed": seed, **values} for seed, values in sorted(measured.items())]
    for each in seeds:
        for config in entry.runs(preset, each["seed"]).values():
            account = load_manifest(out / RUNS / config.name)
            each["run"] = config.name
            for name in ("steps", "parameters", "training_cpu_seconds", "wall_seconds"):
                each[name] = account.get(name)  # None: an imported run records no seconds
    kind = _kinds()[entry.agent]
    return {"agent": entry.agent, "kind": kind, "task": entry.setting.name, "seeds": seeds}
