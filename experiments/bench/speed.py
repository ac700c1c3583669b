"""Speed, measured as ratios: every round times all contestants in turn, on CPU time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import gymnasium as gym
import numpy as np

from metalocus.agents.catalogue import make_named
from metalocus.envs import InvalidTask, Setting, make_family
from metalocus.envs.registry import FAMILIES
from metalocus.experiments.bench.train import TASK, Row, bench_train
from metalocus.experiments.probes.base import PROBES

ROUNDS = 3


def bench_env() -> list[Row]:
    """Steps per CPU second of every family and of the bandit with ten arms.

    The native vector environment beside Gymnasium's SyncVectorEnv over our own single one,
    for whole episodes with their resets, 50 steps at least.
    """
    rows = []
    for env_id, kwargs in [*((env_id, {}) for env_id in FAMILIES), TASK]:
        episode = make_family(env_id, **kwargs).horizon + 1
        calls = episode * -(-50 // episode)
        for batch in (1, 64, 1024):
            contestants = {"native": _stepper(gym.make_vec(env_id, batch, **kwargs))}
            if batch <= 64:
                sync = gym.make_vec(env_id, batch, vectorization_mode="sync", **kwargs)
                contestants["sync"] = _stepper(sync)
            rates = _rates(contestants, calls)
            speed = {name: round(batch * rate) for name, rate in rates.items()}
            row: Row = {"env": env_id, "env_kwargs": kwargs, "batch": batch}
            row |= {f"{name}_steps_per_cpu_s": rate for name, rate in speed.items()}
            if "sync" in speed:
                row["native_over_sync"] = round(speed["native"] / speed["sync"], 1)
            rows.append(row)
    return rows


def bench_probe() -> list[Row]:
    """Seconds that each probe takes on a counting agent, 1,000 episodes of the default bandit.

    Probes of other tasks are left out.
    """
    family = make_family(TASK[0])
    rows = []
    for name, probe in PROBES.items():
        began = time.process_time()
        with suppress(InvalidTask):
            probe().run(make_named("counts_in_state", family), Setting(TASK[0]), episodes=1000)
            rows.append({"probe": name, "cpu_s": round(time.process_time() - began, 2)})
    return rows


BENCHES: Mapping[str, Callable[..., list[Row]]] = {
    "env": bench_env,
    "train": bench_train,
    "probe": bench_probe,
}


def _rates(contestants: Mapping[str, Callable[[], None]], calls: int = 200) -> dict[str, float]:
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
    env.reset(seed=0)
    action = np.zeros(env.num_envs, dtype=np.int64)

    def step() -> None:
        env.step(action)

    return step
