"""How fast environments step: every round times all contestants in turn, on CPU time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from metalocus.envs import Setting
from metalocus.envs.registry import FAMILIES
from metalocus.experiments.bench.base import ROUNDS, TEN_ARMS, Row

BATCHES = (1, 64, 1024)
LARGEST_SYNC = 64
"""Single environments stepped one by one beyond this take seconds a call."""
LEAST_STEPS = 50
"""Whole episodes of at least so many steps in all, so that resets have their true share."""


def bench_env() -> list[Row]:
    """Steps per CPU second of every family and of the bandit with ten arms.

    The native vector environment beside Gymnasium's SyncVectorEnv over our own single one,
    for whole episodes with their resets.
    """
    settings = [*(Setting(env_id) for env_id in FAMILIES), TEN_ARMS]
    return [_row(setting, batch) for setting in settings for batch in BATCHES]


def _row(setting: Setting, batch: int) -> Row:
    episode = setting.family.horizon + 1  # its steps and its reset
    calls = episode * -(-LEAST_STEPS // episode)
    contestants = {"native": _stepper(gym.make_vec(setting.env, batch, **setting.kwargs))}
    if batch <= LARGEST_SYNC:
        sync = gym.make_vec(setting.env, batch, vectorization_mode="sync", **setting.kwargs)
        contestants["sync"] = _stepper(sync)
    speed = {name: round(batch * rate) for name, rate in _rates(contestants, calls).items()}
    row: Row = {"env": setting.env, "env_kwargs": dict(setting.kwargs), "batch": batch}
    row |= {f"{name}_steps_per_cpu_s": rate for name, rate in speed.items()}
    if "sync" in speed:
        row["native_over_sync"] = round(speed["native"] / speed["sync"], 1)
    return row


def _rates(contestants: Mapping[str, Callable[[], None]], calls: int) -> dict[str, float]:
    """Calls per CPU second of each, the best of several interleaved rounds after a warm-up."""
    best = dict.fromkeys(contestants, 0.0)
    for round_number in range(ROUNDS + 1):
        for name, call in contestants.items():
            began = time.process_time()
            for _ in range(calls):
                call()
            if round_number:
                best[name] = max(best[name], calls / (time.process_time() - began))
    return best


def _stepper(env: gym.vector.VectorEnv[Any, Any, Any]) -> Callable[[], None]:
    """A step of an environment that always takes the first action."""
    env.reset(seed=0)
    action = np.zeros(env.num_envs, dtype=np.int64)

    def step() -> None:
        env.step(action)

    return step
