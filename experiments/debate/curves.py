"""The curves behind the verdicts: choice value and locus by trial, for every agent."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import best_reference, make_named
from metalocus.envs import InvalidTask
from metalocus.experiments.probes.locus import HEADLINE, Locus
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import FIVE_ARMS, REVERSAL, NamedSetting
from metalocus.experiments.scoring.curves import learning_curve
from metalocus.experiments.scoring.sample import require_finite
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured, Study, require_measured

BESIDE = ("mlp_feedback",)
"""Trained beside the agent that the claims are about."""
ONLINE = ("policy_gradient", "delta_rule")
PLAYERS = (*ONLINE, "wsls")
"""Not trained; left out of settings that they cannot play."""


class Curves(Study):
    """Choice value and locus of every agent by trial, on the episodes that claims are judged on."""

    name = "curves"

    def asked_on(self, preset: Preset) -> tuple[NamedSetting, ...]:
        """Five arms and reversals, as many as the preset asks about, or its own setting."""
        settings = (FIVE_ARMS, REVERSAL) if preset.setting is None else (preset.setting,)
        return settings[: preset.tasks]

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """Every trained agent on every setting."""
        return {
            f"{agent}/{setting.name}": preset.run(agent, setting, seed)
            for setting in self.asked_on(preset)
            for agent in (preset.agent, *BESIDE)
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> dict[str, Any]:
        """``title``, ``best``, ``adaptation`` and ``locus`` of one training seed, by setting.

        Returns:
            By setting: its title; the name of the best reference; the choice value at every trial
            by agent; trials, shares and interactions of the locus probe by agent.
        """
        settings = self.asked_on(preset)
        return {each.name: _on(each, agents, preset, seed) for each in settings}

    def average(self, measured: Mapping[int, Measured]) -> dict[str, Any]:
        """Means over training seeds of what :meth:`measure` gave.

        Raises:
            NonFinite: a number is missing or not finite.
            ValueError: training seeds differ in what was measured.
        """
        require_measured(self.name, measured)
        seeds = [values for _, values in sorted(measured.items())]
        return {name: _mean([values[name] for values in seeds]) for name in seeds[0]}


def _on(
    setting: NamedSetting, agents: Mapping[str, Agent], preset: Preset, seed: int
) -> dict[str, Any]:
    best = best_reference(setting.family)
    trained = (preset.agent, *BESIDE)
    players: dict[str, Agent] = {name: agents[f"{name}/{setting.name}"] for name in trained}
    for name in PLAYERS:
        with suppress(InvalidTask):
            players[name] = make_named(name, setting.family)
    curves = {
        name: learning_curve(agent, setting, preset.episodes, seed)["curve"]
        for name, agent in {**players, best.name: best}.items()
    }
    locus = {}
    for name in (each for each in (preset.agent, "mlp_feedback", *ONLINE) if each in players):
        found = Locus().run(players[name], setting, preset.episodes, seed)
        of_stores = {key: found[key][HEADLINE] for key in ("shares", "interactions")}
        locus[name] = {"trials": found["trials"], **of_stores}
    return {"title": setting.title, "best": best.name, "adaptation": curves, "locus": locus}


def _mean(parts: list[Any]) -> Any:
    """Means of equally nested numbers; text is taken from the first part."""
    first = parts[0]
    if isinstance(first, Mapping):
        return {key: _mean([part[key] for part in parts]) for key in first}
    if isinstance(first, list):
        numbers = np.array(parts, dtype=float)  # None, which is no number, becomes one that is not
        require_finite("a number of the curves", numbers)
        return numbers.mean(axis=0).tolist()
    return first


CURVES = Curves()
