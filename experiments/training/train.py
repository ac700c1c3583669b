"""Running one training run: build, continue where it was, measure on the way, write it down."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.callbacks import BaseCallback, ConvertCallback
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from stable_baselines3.common.type_aliases import MaybeCallback
from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # type: ignore[import-untyped]

from metalocus.agents.agent import NonFinite
from metalocus.agents.ppo.checkpoint import load_checkpoint
from metalocus.agents.ppo.files import read_tensors, write_atomically
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.agents.trainers.imitate import Imitation
from metalocus.envs import InvalidTask
from metalocus.envs.checks import require
from metalocus.experiments.display import LOG
from metalocus.experiments.folders.folder import CHECKPOINT, CONFIG, MANIFEST
from metalocus.experiments.folders.lease import Lease, locked
from metalocus.experiments.folders.places import folder_of_run
from metalocus.experiments.folders.progress import Progress
from metalocus.experiments.runs.arguments import REFERENCE, START
from metalocus.experiments.runs.build import build_model
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.load import load_other_runs
from metalocus.experiments.runs.possible import require_possible
from metalocus.experiments.runs.records import (
    identity,
    is_done,
    place,
    places_before,
    write_finished,
)
from metalocus.experiments.runs.replicas import ONLINE
from metalocus.experiments.training.monitor import Monitor
from metalocus.experiments.training.online import train_online
from metalocus.experiments.training.saving import go_on

Report = Callable[[Progress], None]
"""Called with how far the run is, about twice a second."""


def train(
    config: RunConfig,
    out: str | Path,
    report: Report | None = None,
    callback: MaybeCallback = None,
) -> Path:
    """Make a run under ``out``, or finish it; a finished run is left as it is.

    Torch uses as many threads as it is set to: one in ``metalocus train`` and in a sweep. Another
    number gives other bits; call ``torch.set_num_threads(1)`` first to get those of the command.
    The manifest records it, and a run that goes on with another number warns. So does a run of
    fewer steps than one rollout, since rollouts are whole.

    Args:
        config: the run.
        out: folder of runs; the run's own folder in it is named by the config.
        report: called with progress.
        callback: of Stable-Baselines3: one, a list, or a function of locals and globals; it may
            stop training. The manifest names it, the run's name does not. It is called for
            what is trained now, and keeps nothing where the run is interrupted.

    Returns:
        The run's folder.

    Raises:
        InvalidTask: the config describes no run, or none that this machine can make, or a run
            that it is made from is not where it was.
        WrongUse: ``out`` cannot be written.
        Busy: another process is making it, or has taken it over.
        Stopped: the process was asked to stop, and the run is saved.
        Corrupt: its checkpoint, or a file of the finished run, is damaged or of another run.
        NonFinite: a number is; the message names the last good checkpoint.
    """
    require_possible(config)
    online = config.trainer == ONLINE
    require(callback is None or not online, "callbacks: training online calls none; leave them out")
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InvalidTask("device is cuda, but no CUDA device is there; train with cpu")
    folder = folder_of_run(Path(out), config.name)
    if is_done(folder):
        LOG.info("%s is done: %s", config.title, folder)
        return folder
    others = load_other_runs(config)
    with locked(folder) as lease:
        LOG.info("%s: %s", config.title, folder)
        if not is_done(folder):
            _warn_of_a_short_run(config)
            (folder / MANIFEST).unlink(missing_ok=True)  # of a run that has lost other files
            write_atomically(folder / CONFIG, config.to_json().encode())
            if online:
                train_online(config, folder, lease, _while_held(lease, report))
            else:
                _train(config, folder, lease, others, report, callback)
    return folder


def _while_held(lease: Lease, report: Report | None) -> Report:
    """A report that also ends the run where another process has taken over its folder."""

    def told(progress: Progress) -> None:
        lease.require()
        if report is not None:
            report(progress)

    return told


def _warn_of_a_short_run(config: RunConfig) -> None:
    """Say before the work how much more will be trained than was asked for."""
    if 0 < config.steps < config.rollout:
        horizon = config.setting.family.horizon
        warnings.warn(
            f"{config.steps} steps are asked for and {config.rollout} will be trained: one rollout"
            f" of {config.n_envs} environments, {horizon} steps each; lower n_envs for fewer",
            stacklevel=3,
        )


def _train(
    config: RunConfig,
    folder: Path,
    lease: Lease,
    runs: Mapping[str, TrainedAgent],
    report: Report | None,
    callback: MaybeCallback,
) -> None:
    monitor = Monitor(config, folder, _while_held(lease, report))
    others = _callbacks(callback)
    model = build_model(config)
    if isinstance(model, Imitation):
        model.teacher = runs.get(REFERENCE)
    if START in runs:
        model.policy.load_state_dict(runs[START].policy.state_dict())
    saved = go_on(folder, lambda file: load_checkpoint(model, file, {"run": config.name}))
    here = place(config.device)
    if saved is not None:
        spent, places = saved
        monitor.resume(model.num_timesteps, spent, places_before(places, here))
    with _events(folder, model.num_timesteps) as events:
        model.set_logger(Logger(str(folder), [events]))
        if config.steps > model.num_timesteps:
            with _told_how_to_go_on(folder / CHECKPOINT):
                left = config.steps - model.num_timesteps
                model.learn(left, [monitor, *others], reset_num_timesteps=False)
        trained = monitor.spent()["training_cpu_seconds"]
        monitor.finish(model)
    seconds = {**monitor.spent(), "training_cpu_seconds": trained}
    took = {name: round(each, 1) for name, each in seconds.items()}
    account: dict[str, Any] = {"steps": model.num_timesteps, **took, **here}
    if monitor.places:
        account["continued_from"] = monitor.places
    if others:
        account["callbacks"] = [type(each).__name__ for each in others]
    lease.require()
    write_finished(folder, config, model.policy, account, identity(config))


def _callbacks(given: MaybeCallback) -> list[BaseCallback]:
    """Callbacks as a list; a function becomes one."""
    if given is None:
        return []
    if isinstance(given, list):
        return given
    return [given if isinstance(given, BaseCallback) else ConvertCallback(given)]


@contextmanager
def _told_how_to_go_on(checkpoint: Path) -> Generator[None]:
    """Name the last good checkpoint where a number that is not finite stops training."""
    try:
        yield
    except NonFinite as error:
        if checkpoint.is_file():
            steps = read_tensors(checkpoint)[1]["counters"]["num_timesteps"]
            rest = f"last good checkpoint: {checkpoint}, at step {steps}; mend the cause, then the"
            raise NonFinite(f"{error}; {rest} same command continues from there") from None
        rest = "there is no checkpoint yet; mend the cause, then the same command begins anew"
        raise NonFinite(f"{error}; {rest}") from None


@contextmanager
def _events(folder: Path, steps: int) -> Generator[TensorBoardOutputFormat]:
    """A new event file; TensorBoard hides what an interrupted run logged after ``steps``."""
    events = TensorBoardOutputFormat(str(folder))
    assert events.writer.file_writer is not None
    begun = SessionLog(status=SessionLog.START)
    events.writer.file_writer.add_event(Event(step=steps + (steps > 0), session_log=begun))
    try:
        yield events
    finally:
        events.close()
