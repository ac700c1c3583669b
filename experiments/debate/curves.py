"""The pictures behind the verdicts: learning curves and locus by trial, for every agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import best_reference, make_named
from metalocus.experiments.claims.presets import Preset
from metalocus.experiments.probes.locus import Locus
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.scoring.curves import learning_curve
from metalocus.experiments.scoring.settings import BANDIT, REVERSAL, NamedSetting, play

TRAINED = ("lstm", "mlp_feedback", "mlp")
ONLINE = ("policy_gradient", "delta_rule")
TASKS = (BANDIT, REVERSAL)


class Curves:
    """Adaptation curve and locus of every agent on every task, on the episodes of the claims."""

    name = "curves"

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """Every trained agent on every task."""
        return {
            f"{agent}/{task.name}": preset.run(agent, task, seed)
            for task in TASKS
            for agent in TRAINED
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> dict[str, Any]:
        """``adaptation`` and ``locus`` of one training seed, by task and agent."""
        return {task.name: self._on(task, agents, preset, seed) for task in TASKS}

    def average(self, measured: Mapping[int, Any]) -> dict[str, Any]:
        """Means over training seeds, by task: title, adaptation curves, locus shares."""
        seeds = [values for _, values in sorted(measured.items())]
        return {
            task.name: {"title": task.title, **_mean([values[task.name] for values in seeds])}
            for task in TASKS
        }

    def _on(
        self, task: NamedSetting, agents: Mapping[str, Agent], preset: Preset, seed: int
    ) -> dict[str, Any]:
        best = best_reference(task.family)
        players = {name: agents[f"{name}/{task.name}"] for name in TRAINED}
        players |= {name: make_named(name, task.family) for name in (*ONLINE, "wsls")}
        curves = {
            name: learning_curve(play(agent, task, preset.episodes, seed))["curve"]
            for name, agent in {**players, best.name: best}.items()
        }
        locus = {}
        for name in ("lstm", "mlp_feedback", *ONLINE):
            found = Locus().run(players[name], task, preset.episodes, seed)
            locus[name] = {key: found[key] for key in ("trials", "shares", "interactions")}
        return {"best": best.name, "adaptation": curves, "locus": locus}


def _mean(parts: list[Any]) -> Any:
    """Mean of equally nested numbers; what is not a number is taken from the first."""
    first = parts[0]
    if isinstance(first, dict):
        return {key: _mean([part[key] for part in parts]) for key in first}
    if isinstance(first, list):
        return np.mean(np.array(parts, dtype=float), axis=0).tolist()
    return first


CURVES = Curves()
