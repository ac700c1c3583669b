"""Every agent on every kind of task, beside the references: one table, each entry kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import ONLINE, REFERENCES, best_reference, make_named
from metalocus.agents.cells.base import TRAINABLES
from metalocus.experiments.claims.presets import Preset, preset_of
from metalocus.experiments.claims.study import RUNS, measure_all
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.folder import load_manifest
from metalocus.experiments.scoring.settings import BANDIT, BERNOULLI, REVERSAL, NamedSetting, score

TASKS = (
    BANDIT,
    NamedSetting("five_arms", "five-armed bandit, 100 pulls", BERNOULLI, n_arms=5, horizon=100),
    REVERSAL,
    NamedSetting("rules", "rule switching, 100 cards", "metalocus/RuleSwitching-v0"),
    NamedSetting(
        "binding",
        "four random cues, each bound to one of four actions, 32 trials",
        "metalocus/CueBinding-v0",
        n_cues=4,
        cue_bits=8,
        horizon=32,
    ),
    NamedSetting(
        "dataset",
        "twenty examples of five arms, one a trial, then one choice",
        "metalocus/DatasetBandit-v0",
        sequence=True,
        n_arms=5,
        n_examples=20,
    ),
)
STEPS = {"smoke": 3_000, "quick": 2_000_000, "full": 10_000_000}
"""Environment steps of every agent that is trained, by preset."""
LONGER = {"five_arms": 2.0}
"""Times as many on tasks that take longer to learn."""


@dataclass(frozen=True)
class Entry:
    """One agent on one task.

    Attributes:
        agent: a trainable agent, an online learner or a reference.
        task: what it plays.
    """

    agent: str
    task: NamedSetting

    @property
    def name(self) -> str:
        """Of the files that its measurements are kept in."""
        return f"{self.agent}-on-{self.task.name}"

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """Its training run; none for an agent that is not trained."""
        if self.agent not in TRAINABLES:
            return {}
        part = LONGER.get(self.task.name, 1.0)
        return {self.agent: preset.run(self.agent, self.task, seed, part)}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> dict[str, float]:
        """``score`` on fresh episodes: 0 at random choice and 1 at the best reference."""
        agent = agents.get(self.agent) or make_named(self.agent, self.task.family)
        return {"score": score(agent, self.task, preset.episodes, seed)}


def compare(
    preset_name: str,
    out: Path,
    agents: Sequence[str] = (),
    tasks: Sequence[str] = (),
) -> dict[str, Any]:
    """Train and measure every agent on every task; what is done already is taken from ``out``.

    Args:
        preset_name: seeds and episodes are those of the debate's preset, steps are ``STEPS``.
        out: folder of runs and measurements.
        agents: names of agents; all that are trained or learn online, and the references, if
            none is given.
        tasks: short names of tasks; all if none is given.

    Returns:
        ``preset``, ``tasks`` and ``entries``: agent, kind, task, and by seed the score and what
        training took.

    Raises:
        WrongUse: an unknown agent or task, or an agent that can play none of the tasks.
        RunFailed: a run could not be made; all others were.
    """
    like = preset_of(preset_name)
    steps = dict.fromkeys(TRAINABLES, STEPS[preset_name])
    preset = Preset(like.name, like.about, like.seeds, steps, like.episodes)
    chosen = _chosen("task", tasks, _titles())
    entries = _entries(_chosen("agent", agents, _kinds()), chosen)
    playing = {entry.agent for entry in entries}
    idle = [name for name in agents if name not in playing]
    if idle:
        raise WrongUse(f"{', '.join(idle)} can play none of {', '.join(chosen)}; name other ones")
    measured = measure_all(entries, preset, out)
    return {
        "preset": {"name": preset.name, "seeds": preset.seeds, "episodes": preset.episodes},
        "tasks": {entry.task.name: _about(entry.task) for entry in entries},
        "entries": [_row(entry, measured[entry.name], preset, out) for entry in entries],
    }


def _kinds() -> dict[str, str]:
    """Every agent that can be asked for, with its kind."""
    trained = dict.fromkeys(TRAINABLES, "trained")
    online = dict.fromkeys(ONLINE, "online")
    return {**trained, **online, **dict.fromkeys(REFERENCES, "reference")}


def _titles() -> dict[str, str]:
    return {task.name: task.title for task in TASKS}


def _chosen(kind: str, names: Sequence[str], known: Mapping[str, str]) -> list[str]:
    """The names asked for, or all that there are."""
    for name in names:
        if name not in known:
            raise WrongUse(f"unknown {kind} {name!r}; choose from {', '.join(known)}")
    return list(dict.fromkeys(names)) or list(known)


def _entries(agents: Sequence[str], tasks: Sequence[str]) -> list[Entry]:
    """Agents on the tasks that they can play."""
    known = {**REFERENCES, **ONLINE}
    return [
        Entry(agent, task)
        for agent in agents
        for task in TASKS
        if task.name in tasks and (agent in TRAINABLES or known[agent].why_not(task.family) is None)
    ]


def _about(task: NamedSetting) -> dict[str, Any]:
    best = best_reference(task.family).name
    return {"title": task.title, **task.to_dict(), "best": best}


def _row(entry: Entry, measured: Mapping[int, Any], preset: Preset, out: Path) -> dict[str, Any]:
    """One entry with what was measured and what it took, for every seed."""
    seeds = [{"seed": seed, **values} for seed, values in sorted(measured.items())]
    for each in seeds:
        for config in entry.runs(preset, each["seed"]).values():
            account = load_manifest(out / RUNS / config.name)
            each["run"] = config.name
            for name in ("steps", "parameters", "training_cpu_seconds", "wall_seconds"):
                each[name] = account.get(name)  # an imported run does not tell its seconds
    kind = _kinds()[entry.agent]
    return {"agent": entry.agent, "kind": kind, "task": entry.task.name, "seeds": seeds}
