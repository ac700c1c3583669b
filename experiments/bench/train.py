"""The training engine beside sb3-contrib's and SB3's: time, memory, and time to learn.

Every contestant works in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env

import metalocus.envs  # noqa: F401 (registers the environments)
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.experiments.bench.base import ROUNDS, TEN_ARMS, Row
from metalocus.experiments.runs.build import build_model
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.scoring.returns import expected_returns

WIDTH = 64
"""Units of every contestant's LSTM and of its heads' layers."""
ENOUGH_SECONDS = 2.0
"""CPU time after which a contestant has shown its speed in a round."""
GOALS = (75.0, 80.0)
"""Mean returns; random choice earns 50 and the best reference 83.6."""
PATIENCE = 60.0
"""CPU seconds in which the goals must be reached."""
MANY_STEPS = 5_000_000
"""What the schedules of a training are made for that ends by its time."""
LEARNED = "alike_arms"
"""The agent that learns ten arms soonest."""
LEARNED_AFTER: Mapping[float, Mapping[str, Any]] = {10.0: {"n_epochs": 3}, 120.0: {}}
"""CPU seconds of training after which it is measured, and settings. In the first seconds rollouts
are dear and are read three times: at seeds 902 and 903, on a busy machine, 81.9 and 80.9 (once:
80.1 at seed 902, with twice as many steps)."""
FRESH = 10_000
"""Episodes on which it is measured."""
SIZES: Mapping[str, dict[str, int]] = {
    "32 environments, as by default": {"n_envs": 32, "n_epochs": 10, "batch_size": 128},
    "256 environments, small batches": {"n_envs": 256, "n_epochs": 4, "batch_size": 1_600},
    "256 environments, large batches": {"n_envs": 256, "n_epochs": 4, "batch_size": 6_400},
}
TUNED = "256 environments, large batches"
"""The sizes with which the others learn for the goals."""
USUAL = (100, 256)
"""Trials of an episode and environments, where they are not what is varied."""
LENGTHS = (50, 200, 1000)
"""Trials of an episode."""
BATCHES = (64, 512, 4096)
"""Environments."""
GIGANTIC = (1000, 1024)
"""Trials and environments at which memory is to stay below 4 GB."""


def bench_train(device: str = "cpu") -> list[Row]:
    """Rows of ``speed``, ``learning``, ``learned``, ``length``, ``batch``, ``memory``, ``agent``.

    ``speed``: trained steps per CPU second with equal network, epochs and minibatches, in
    interleaved rounds. RecurrentPPO plays SB3's own vector of single environments, as its
    users do, and, as ``recurrent_ppo_native``, our batched ones.

    Raises:
        InvalidTask: the device is not there.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise InvalidTask("device is cuda, but no CUDA device is there; leave --device out")
    rows = [_speeds(name, sizes, device) for name, sizes in SIZES.items()]
    rows += [
        {"measure": "learning", "trainer": name, **_apart(_learning, name, device)}
        for name in ("ours", "recurrent_ppo", "memoryless_ppo")
    ]
    rows += [
        {"measure": "learned", "agent": LEARNED, **settings, **_apart(_learned, seconds, device)}
        for seconds, settings in LEARNED_AFTER.items()
    ]
    for measure, sizes in (
        ("length", [(length, USUAL[1]) for length in LENGTHS]),
        ("batch", [(USUAL[0], batch) for batch in BATCHES]),
        ("memory", [GIGANTIC]),
    ):
        for horizon, n_envs in sizes:
            found = _apart(_cost, "lstm", horizon, n_envs, device)
            rows.append({"measure": measure, "horizon": horizon, "n_envs": n_envs, **found})
    costs = {name: _apart(_cost, name, *USUAL, device) for name in TRAINABLES}
    lstm = costs["lstm"]["cpu_s_per_million"]
    for name, found in costs.items():
        ratio = round(found["cpu_s_per_million"] / lstm, 2)
        rows.append({"measure": "agent", "agent": name, **found, "over_lstm": ratio})
    return rows


def _speeds(name: str, sizes: Mapping[str, int], device: str) -> Row:
    """The best of several rounds of each contestant."""
    contestants = ["ours", "recurrent_ppo", "recurrent_ppo_native", "memoryless_ppo"]
    best: dict[str, Row] = {}
    for _ in range(ROUNDS):
        for contestant in contestants:
            found = _apart(_speed, contestant, dict(sizes), device)
            if contestant not in best or found["rate"] > best[contestant]["rate"]:
                best[contestant] = found
    row: Row = {"measure": "speed", "setting": name}
    row |= {f"{key}_steps_per_cpu_s": round(found["rate"]) for key, found in best.items()}
    row |= {f"{key}_peak_mb": found["peak_mb"] for key, found in best.items()}
    for rival in contestants[1:3]:
        row[f"over_{rival}"] = round(best["ours"]["rate"] / best[rival]["rate"], 1)
    return row


def _apart(work: Callable[..., Row], *args: Any) -> Row:
    """What ``work`` finds in a fresh process, and that process's peak memory in MB."""
    spawn = get_context("spawn")
    with ProcessPoolExecutor(1, spawn, torch.set_num_threads, (1,)) as pool:  # one thread
        found, peak = pool.submit(_watched, work, args).result()
    return {**found, "peak_mb": peak}


def _watched(work: Callable[..., Row], args: tuple[Any, ...]) -> tuple[Row, int]:
    """What ``work`` finds, and the peak memory of this process in MB."""
    import resource  # is missing on Windows, where the other benches run

    found = work(*args)
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20


def _speed(contestant: str, sizes: dict[str, int], device: str) -> Row:
    """Trained steps per CPU second, after one rollout to warm up."""
    model = _trainer(contestant, sizes, device)
    return {"rate": 1e6 / _seconds_per_million(model)}


def _cost(agent: str, horizon: int, n_envs: int, device: str) -> Row:
    """CPU seconds per million steps of an agent with the default settings."""
    setting = Setting(TEN_ARMS.env, **{**TEN_ARMS.kwargs, "horizon": horizon})
    config = RunConfig(setting, agent, horizon * n_envs, 0, n_envs, device)
    return {"cpu_s_per_million": round(_seconds_per_million(build_model(config)), 2)}


def _seconds_per_million(model: Any) -> float:
    """Of CPU time, training a rollout at a time; of wall time where another device works."""
    clock = time.process_time if model.device.type == "cpu" else time.perf_counter
    steps, spent, done = model.n_steps * model.n_envs, 0.0, 0
    model.learn(steps)
    while spent < ENOUGH_SECONDS:
        began = clock()
        model.learn(steps)
        spent, done = spent + clock() - began, done + steps
    return 1e6 * spent / done


def _learning(contestant: str, device: str) -> Row:
    """CPU seconds to each goal, None if it takes longer than ``PATIENCE``.

    Ours has its defaults, with the steps that its schedules can be run through in that time;
    the others have the sizes ``TUNED``.
    """
    sizes = {"n_envs": 256} if contestant == "ours" else dict(SIZES[TUNED])
    watch = _Watch(PATIENCE)
    _trainer(contestant, sizes, device).learn(MANY_STEPS, callback=watch)
    return {f"cpu_s_to_{goal:g}": watch.reached.get(goal) for goal in GOALS}


def _learned(seconds: float, device: str) -> Row:
    """What the weights earn on fresh episodes when so many CPU seconds of training are over."""
    given = LEARNED_AFTER[seconds]
    config = RunConfig.suited(TEN_ARMS, LEARNED, MANY_STEPS, 0, device, train_kwargs=given)
    model, watch = build_model(config), _Watch(seconds)
    model.learn(MANY_STEPS, callback=watch)
    spent = time.process_time() - watch.began
    agent = TrainedAgent(model.policy, TEN_ARMS.layout)
    earned = expected_returns(agent, TEN_ARMS, FRESH, 1)
    error = earned.std(ddof=1) / len(earned) ** 0.5
    return {
        "steps": model.num_timesteps,
        "cpu_s": round(spent, 1),
        "mean_return": round(float(earned.mean()), 2),
        "se": round(float(error), 2),
    }


class _Watch(BaseCallback):
    """When the mean return of a rollout's episodes reaches each goal; training ends in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.reached: dict[float, float] = {}
        self.began = time.process_time()
        self.seen = 0

    def _on_step(self) -> bool:
        return time.process_time() - self.began < self.seconds

    def _on_rollout_end(self) -> None:
        buffer = self.model.ep_info_buffer
        assert buffer is not None
        mean = sum(info["r"] for info in buffer) / max(1, len(buffer))
        for goal in GOALS:
            if mean >= goal and goal not in self.reached:
                self.reached[goal] = round(time.process_time() - self.began, 1)


def _trainer(contestant: str, sizes: dict[str, int], device: str) -> Any:
    """A model of 64 LSTM units, an own LSTM for the critic, and two layers of heads each.

    With no more than ``n_envs`` in the sizes, ours has its own defaults throughout.
    """
    env_id, kwargs = TEN_ARMS.env, dict(TEN_ARMS.kwargs)
    n_envs, rest = sizes["n_envs"], {k: v for k, v in sizes.items() if k != "n_envs"}
    common: dict[str, Any] = {**rest, "seed": 0, "device": device, "stats_window_size": n_envs}
    if contestant == "recurrent_ppo":
        env: Any = make_vec_env(env_id, n_envs, seed=0, env_kwargs=kwargs)
    else:
        env = BatchVecEnv(env_id, n_envs, seed=0, **kwargs)
    if contestant == "ours":
        policy: Row = {"cell": "lstm", "cell_kwargs": {"hidden_size": WIDTH}}
        if rest:
            policy |= {"critic": "separate", "action_values": False, "net_arch": [WIDTH, WIDTH]}
        return SequencePPO("SequencePolicy", env, policy_kwargs=policy, **common)
    common["n_steps"] = kwargs["horizon"]
    if contestant == "memoryless_ppo":
        return PPO("MlpPolicy", env, **common)
    lstm = {"lstm_hidden_size": WIDTH, "net_arch": [WIDTH, WIDTH]}
    return RecurrentPPO("MlpLstmPolicy", env, policy_kwargs=lstm, **common)
