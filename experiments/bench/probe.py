"""What each probe costs on trained agents' networks, beside what it may cost."""

from __future__ import annotations

import time
from itertools import product

import torch

from metalocus.agents.agent import Agent
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import Setting
from metalocus.experiments.bench.base import Row
from metalocus.experiments.display import Stage
from metalocus.experiments.probes.base import PROBES, Probe
from metalocus.experiments.probes.ensemble import Ensemble
from metalocus.experiments.runs.build import build_policy
from metalocus.experiments.runs.config import RunConfig

EPISODES, TRIALS = 1000, 100
LIMITS = {"lstm": 10.0, "gru": 10.0, "transformer": 20.0}
"""CPU seconds that a probe may take on each agent."""
FITTED = ("decode", "simulate", "strategy")
"""Probes that fit models to other episodes first."""
FITTED_LIMIT = 60.0
FIVE_ARMS = Setting("metalocus/BernoulliBandit-v0", n_arms=5, horizon=TRIALS)
TASKS = (
    FIVE_ARMS,
    Setting("metalocus/ReversalBandit-v0", horizon=TRIALS),
    Setting("metalocus/TwoStep-v0", horizon=TRIALS),
    Setting("metalocus/CuedSwitching-v0", horizon=TRIALS),
    Setting("metalocus/DatasetBandit-v0"),
)
"""A probe is timed on the first of these on which it has an answer."""


def bench_probe() -> list[Row]:
    """CPU seconds of each probe on 1,000 episodes, most of them of 100 trials; one thread.

    Networks have the default size and are not trained: what they compute takes as long. A probe
    that has no answer on any of the tasks for an agent is left out there.
    """
    torch.set_num_threads(1)
    pairs = list(product(LIMITS, PROBES))
    rows = []
    with Stage("timing", len(pairs), "probes") as stage:
        for count, (agent, probe) in enumerate(pairs, 1):
            rows.append(_row(probe, agent))
            stage.update(count)
            stage.finished(f"{probe} of {agent}", count, len(pairs))
    return [row for row in rows if row is not None]


def _row(name: str, agent: str) -> Row | None:
    """One probe on one agent; None if it has no answer."""
    for setting in TASKS:
        player = _untrained(agent, setting)
        probe = _made(name, player)
        if probe.why_not(player, setting) is not None:
            continue
        began = time.process_time()
        probe.run(player, setting, EPISODES)
        spent = time.process_time() - began
        limit = FITTED_LIMIT if name in FITTED else LIMITS[agent]
        return {
            "agent": agent,
            "probe": name,
            "task": setting.family.name,
            "cpu_s": round(spent, 1),
            "limit": limit,
            "within": spent <= limit,
        }
    return None


def _made(name: str, agent: Agent) -> Probe:
    """The probe; one that compares several agents has this one beside it."""
    return Ensemble([agent]) if name == Ensemble.name else PROBES[name]()


def _untrained(agent: str, setting: Setting) -> TrainedAgent:
    """An agent as training begins with it."""
    policy = build_policy(RunConfig(setting, agent, steps=0, seed=0, n_envs=1))
    return TrainedAgent(policy, setting.layout)
