"""Running a run of replicas that learn online: episode after episode, saved on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from metalocus.agents.agent import Array, NonFinite
from metalocus.agents.ppo.checkpoint import machine, warn_if_elsewhere
from metalocus.agents.ppo.files import Corrupt, read_tensors, write_tensors
from metalocus.agents.replicas.learning import PARAMETERS, RATE
from metalocus.agents.replicas.stream import Stream
from metalocus.envs import InvalidTask
from metalocus.experiments.folders.folder import CHECKPOINT
from metalocus.experiments.folders.lease import Lease
from metalocus.experiments.folders.progress import Progress
from metalocus.experiments.folders.results import EPISODES, SCORE, SEED, Measurement, write_results
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.records import (
    AGAIN,
    identity,
    place,
    places_before,
    write_tensors_finished,
)
from metalocus.experiments.runs.replicas import build_stream, replicas_agent, require_fit
from metalocus.experiments.scoring.returns import expected_returns
from metalocus.experiments.scoring.score import return_bounds
from metalocus.experiments.training.saving import Saves, go_on, make_way

RETURN = "return"
"""Mean reward of an episode during training; ``return/rate=0.1`` is that of the replicas of a
learning rate, and so are scores of a rate."""
POINTS = 50
"""Of a learning curve: episodes in a row are averaged."""
SAVE_SECONDS, REPORT_SECONDS = 20.0, 0.5
"""Between two checkpoints in the long run, and between two reports, as with other trainers."""


def train_online(
    config: RunConfig,
    folder: Path,
    lease: Lease,
    report: Callable[[Progress], None] | None = None,
) -> None:
    """Train the replicas of a run to its end and write it down; goes on where it was interrupted.

    Every replica plays whole episodes, until all together have made the steps asked for.

    Args:
        config: the run.
        folder: its folder.
        lease: by which this process holds it.
        report: called with progress.

    Raises:
        Corrupt: the checkpoint is damaged or of another run.
        NonFinite: a weight is; nothing was saved since the last checkpoint.
        Busy: another process has taken the run over.
    """
    stream, here = build_stream(config), place(config.device)
    past = go_on(folder, lambda file: _resume(config, file, stream)) or _Past(
        np.zeros((0, config.n_envs)), 0.0, []
    )
    past = replace(past, places=places_before(past.places, here))
    began, n_episodes = time.process_time() - past.seconds, -(-config.steps // config.rollout)
    totals, saves, reported = list(past.totals), Saves(), time.monotonic()
    while stream.n_episodes < n_episodes:
        totals.append(stream.play())
        if saves.due(SAVE_SECONDS):
            _require_finite(stream, config)
            seconds = time.process_time() - began
            make_way(folder)
            saved = _Past(np.array(totals), seconds, [*past.places, here])
            _save(config, folder / CHECKPOINT, stream, saved)
            saves.saved()
        now = time.monotonic()
        if report is not None and now - reported > REPORT_SECONDS:
            mean = float(np.mean(totals[-10:]))
            report(Progress(stream.n_episodes * config.rollout, config.steps, mean))
            reported = now
    _require_finite(stream, config)
    seconds = time.process_time() - began
    _write_rows(config, folder, stream, np.array(totals).reshape(-1, config.n_envs))
    account: dict[str, Any] = {
        "steps": stream.n_episodes * config.rollout,
        "training_cpu_seconds": round(seconds, 1),
        "cpu_seconds": round(time.process_time() - began, 1),
        **here,
    }
    if past.places:
        account["continued_from"] = past.places
    trained = stream.weights[PARAMETERS].numel()
    lease.require()
    write_tensors_finished(folder, config, stream.weights, trained, account, identity(config))


@dataclass(frozen=True)
class _Past:
    """What was done before a checkpoint.

    Attributes:
        totals: rewards of its episodes [E, N].
        seconds: of CPU time.
        places: where it was done; JSON-able.
    """

    totals: Array
    seconds: float
    places: Any


def _write_rows(config: RunConfig, folder: Path, stream: Stream, totals: Array) -> None:
    """Write the curve of training, totals [E, N], and the scores at its end."""
    rates = stream.weights[RATE].numpy()
    rows = _curves(totals, rates, config.rollout) + _scores(config, stream, rates)
    write_results(folder, config.name, rows)


def _curves(totals: Array, rates: Array, steps: int) -> list[Measurement]:
    """Return over training of all replicas, and of those of each rate; totals [E, N]."""
    found = []
    parts = np.array_split(np.arange(len(totals)), min(POINTS, max(len(totals), 1)))
    for part in parts if len(totals) else []:
        mean, step = totals[part].mean(axis=0), int(part[-1] + 1) * steps
        found += _by_rate(step, RETURN, mean, rates)
    return found


def _scores(config: RunConfig, stream: Stream, rates: Array) -> list[Measurement]:
    """Score in fresh episodes, in which the replicas learn on; none where all arms are equal."""
    setting, n = config.setting.whole(), len(rates)
    try:
        chance, best = return_bounds(setting, EPISODES, SEED)
    except InvalidTask:
        return []
    each = -(-EPISODES // n)
    agent = replicas_agent(config, stream.weights)
    earned = expected_returns(agent, setting, each * n, SEED).reshape(each, n).mean(axis=0)
    steps = stream.n_episodes * config.rollout
    return _by_rate(steps, SCORE, (earned - chance) / (best - chance), rates)


def _by_rate(step: int, metric: str, values: Array, rates: Array) -> list[Measurement]:
    """The mean of values [N] over all replicas, and over those of each rate if they are several."""
    found = [Measurement(step, metric, float(values.mean()))]
    different = np.unique(rates)
    for rate in different if len(different) > 1 else []:
        mean = float(values[rates == rate].mean())
        found.append(Measurement(step, f"{metric}/rate={rate:.6g}", mean))
    return found


def _save(config: RunConfig, file: Path, stream: Stream, past: _Past) -> None:
    header = {"run": config.name, "n_episodes": stream.n_episodes, "seconds": past.seconds}
    header |= {"machine": machine(torch.device(config.device)), "places": past.places}
    tensors = {**stream.weights, "totals": torch.from_numpy(past.totals)}
    write_tensors(file, tensors, header)


def _resume(config: RunConfig, file: Path, stream: Stream) -> _Past:
    """Put a stream where a checkpoint was made; warns where that was elsewhere."""
    tensors, header = read_tensors(file)
    totals = tensors.pop("totals", None)
    try:
        require_fit(stream.weights, tensors, config.n_envs)
        if totals is None or header["run"] != config.name:
            raise ValueError("it is of another run")
        n_episodes, seconds = int(header["n_episodes"]), float(header["seconds"])
        where, places = header["machine"], header["places"]
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt(f"{file} does not fit the run ({error}); {AGAIN}") from None
    stream.go_on(tensors, n_episodes)
    warn_if_elsewhere(file, where, torch.device(config.device))
    return _Past(totals.numpy(), seconds, places)


def _require_finite(stream: Stream, config: RunConfig) -> None:
    """Raise :class:`NonFinite` if a replica's weights are not finite."""
    fine = torch.isfinite(stream.weights[PARAMETERS]).all(dim=1)
    if not fine.all():
        row = int((~fine).nonzero()[0, 0])
        rate = float(stream.weights[RATE][row])
        raise NonFinite(
            f"the weights of replica {row} at rate {rate:g} are not finite after"
            f" {stream.n_episodes * config.rollout} steps; lower the rate"
        )
