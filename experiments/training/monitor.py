"""What is measured during training: regret, distance to the best reference, locus, progress."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Figure, HParam, Logger

from metalocus.agents.agent import STORES, NonFinite
from metalocus.agents.catalogue import best_reference
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.checkpoint import save_checkpoint
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.experiments.probes.locus import Locus
from metalocus.experiments.probes.optimality import Optimality
from metalocus.experiments.runs.arguments import argument_values
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.folder import CHECKPOINT, RESULTS
from metalocus.experiments.runs.progress import Progress
from metalocus.experiments.runs.results import FINAL_SCORE, Measurement, read_results, write_results
from metalocus.experiments.scoring.curves import learning_curve

EPISODES = 512
"""Played for each measurement: a standard error of about 2% of a score, in about a second."""
SEED = 5_000_000
"""Of the episodes measured on during training; those reported afterwards have other seeds."""
CHECKPOINT_SECONDS = 20.0
"""Between two checkpoints: what a killed run loses at most, and a small part of a run's time."""
REPORT_SECONDS = 0.5
"""Between two reports of progress: as often as a display is read."""
METRICS = (
    *(f"locus/{store}" for store in STORES),
    *("locus/total", "regret/score", FINAL_SCORE),
    *("bayes/total_lost", "bayes/agreement", "bayes/kl"),
)
"""All that is measured. Every run announces all of it to TensorBoard, whose table of
hyperparameters has the columns of one run alone."""


class Monitor(BaseCallback):
    """Measures at every doubling of the steps, saves checkpoints, reports progress.

    Measurements go to the model's logger (TensorBoard) and to the run's results; the last
    ones also stand beside the settings in TensorBoard's table of hyperparameters.

    Args:
        config: the run.
        folder: its folder.
        report: called with how far the run is.
    """

    model: SequencePPO

    def __init__(
        self, config: RunConfig, folder: Path, report: Callable[[Progress], None] | None
    ) -> None:
        super().__init__()
        self.config, self.folder, self.report = config, folder, report
        self.results: list[Measurement] = []
        self.began, self.measuring = (time.process_time(), time.time()), 0.0
        self.before: Mapping[str, float] = {}
        self.saved = self.reported = time.monotonic()

    def resume(self, steps: int, spent: Mapping[str, float]) -> None:
        """Go on after ``steps``, which took ``spent``, with the measurements made before."""
        self.before = spent
        if (self.folder / RESULTS).exists():
            rows = read_results(self.folder, self.config.name)
            self.results = [row for row in rows if row.step <= steps]

    def spent(self) -> dict[str, float]:
        """Seconds so far, those before an interruption included."""
        cpu = time.process_time() - self.began[0]
        now = {
            "cpu_seconds": cpu,
            "training_cpu_seconds": cpu - self.measuring,
            "wall_seconds": time.time() - self.began[1],
        }
        return {name: self.before.get(name, 0.0) + seconds for name, seconds in now.items()}

    def finish(self, model: SequencePPO) -> None:
        """The last measurement, the settings that led to it, and a picture of the policy."""
        # drawing is slow to import
        from metalocus.experiments.scoring.figures import one_adaptation

        self.model = model
        self._measure()
        settings = HParam(hyperparameters(self.config), dict.fromkeys(METRICS, 0.0))  # by name
        title = f"{self.config.setting.env}, {model.num_timesteps} steps"
        picture = one_adaptation(curves(model, self.config), title)
        self._log({"hparams": settings, "adaptation": Figure(picture, close=False)})

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        """Measure, save and report: between two rollouts a checkpoint holds all of the state."""
        if self.num_timesteps >= self._next_point():
            self._measure()
        now = time.monotonic()
        if now - self.saved > CHECKPOINT_SECONDS:
            identity = {"run": self.config.name}
            save_checkpoint(self.model, self.folder / CHECKPOINT, self.spent(), identity)
            self.saved = now
        if self.report is not None and now - self.reported > REPORT_SECONDS:
            self.report(self._progress())
            self.reported = now

    def _progress(self) -> Progress:
        """How far the run is, with its return and score of now."""
        ended = self.model.ep_info_buffer or ()
        mean_return = float(np.mean([each["r"] for each in ended])) if ended else None
        scores = [row.value for row in self.results if row.metric == FINAL_SCORE]
        score = scores[-1] if scores else None
        return Progress(self.num_timesteps, self.config.steps, mean_return, score)

    def _next_point(self) -> int:
        """Steps at which to measure: none, one rollout, then twice those of the last time."""
        if not self.results:
            return 0
        return max(2 * self.results[-1].step, self.model.n_steps * self.model.n_envs)

    def _measure(self) -> None:
        """Take every measurement on the same held-out episodes, log it and keep it."""
        began = time.process_time()
        steps, found = self.model.num_timesteps, measure(self.model, self.config)
        self.measuring += time.process_time() - began
        self._log(found)
        self.results += [Measurement(steps, metric, value) for metric, value in found.items()]
        write_results(self.folder, self.config.name, self.results)

    def _log(self, found: Mapping[str, Any]) -> None:
        """Log at once, without what the model has recorded for its own next log."""
        logger = Logger(None, self.model.logger.output_formats)
        for name, value in found.items():
            logger.record(name, value)
        logger.dump(self.model.num_timesteps)


def measure(model: SequencePPO, config: RunConfig) -> dict[str, float]:
    """``regret/*``, ``bayes/*`` and ``locus/*`` of a model as it is now, by metric.

    What cannot be measured, such as a score where all arms are equal, is left out.

    Raises:
        NonFinite: something that was measured is not finite.
    """
    agent = as_agent(model, config)
    setting = config.setting.whole()
    last = agent.layout.family.horizon - 1
    locus = Locus([last]).run(agent, setting, EPISODES, SEED)
    found = {f"locus/{store}": locus["shares"][store][0] for store in STORES}
    found |= {
        "locus/total": locus["total"][0],
        "regret/score": _mean(locus["curve"]),
        FINAL_SCORE: locus["final"],
    }
    if not best_reference(agent.layout.family).omniscient:
        near = Optimality().run(agent, setting, EPISODES, SEED)
        found |= {
            "bayes/total_lost": near["total_lost"],
            "bayes/agreement": _mean(near["agreement"]),
            "bayes/kl": _mean(near["kl"]),
        }
    measured = {name: value for name, value in found.items() if value is not None}
    for name, value in measured.items():
        if not math.isfinite(value):
            raise NonFinite(f"{name} is {value} after {model.num_timesteps} steps")
    return measured


def as_agent(model: SequencePPO, config: RunConfig) -> TrainedAgent:
    """A copy of the model's policy as it is now."""
    return TrainedAgent(copy.deepcopy(model.policy).cpu(), config.setting.layout)


def hyperparameters(config: RunConfig) -> dict[str, float | str]:
    """Settings by name, the same names for every run.

    What was given to environment, agent and training is one text each; beside these stands every
    argument of agent and training with its value.
    """
    setting, agent = config.setting, TRAINABLES.find(config.agent)
    given = {
        "env_kwargs": setting.kwargs,
        "agent_kwargs": config.agent_kwargs,
        "train_kwargs": config.train_kwargs,
    }
    texts = {
        name: " ".join(f"{argument}={value}" for argument, value in arguments.items())
        for name, arguments in given.items()
    }
    own = argument_values(agent, setting.layout, config.agent_kwargs, config.train_kwargs)
    return {**config.to_dict(), **texts, **own}


def curves(model: SequencePPO, config: RunConfig) -> dict[str, list[float | None]]:
    """Adaptation curves of the policy as it is now, and of the best reference."""
    agent, setting = as_agent(model, config), config.setting.whole()
    best, found = best_reference(agent.layout.family), {}
    for name, player in ((config.agent, agent), (best.name, best)):
        found[name] = learning_curve(player, setting, EPISODES, SEED)["curve"]
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean of values; None if one of them is None."""
    return None if None in values else float(np.mean(np.array(values)))
