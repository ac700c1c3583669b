"""What is measured during training: score, regret, distance to the optimum, locus, progress."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import HParam, Image, Logger, TensorBoardOutputFormat

from metalocus.agents.agent import STORES, Array, NonFinite
from metalocus.agents.catalogue import best_reference
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.checkpoint import save_checkpoint
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.folders.folder import CHECKPOINT, RESULTS
from metalocus.experiments.folders.progress import Progress
from metalocus.experiments.folders.results import (
    EPISODES,
    SCORE,
    SEED,
    Measurement,
    read_results,
    write_results,
)
from metalocus.experiments.probes.base import WatchingProbe, watched
from metalocus.experiments.probes.locus import HEADLINE, Locus
from metalocus.experiments.probes.optimality import Optimality
from metalocus.experiments.runs.arguments import argument_values
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.other_runs import shown
from metalocus.experiments.runs.records import place
from metalocus.experiments.scoring.chunks import Chunks, named
from metalocus.experiments.scoring.curves import learning_curve
from metalocus.experiments.scoring.score import return_bounds
from metalocus.experiments.training.adaptation import AdaptationFigure
from metalocus.experiments.training.carried import Watched, write_projector
from metalocus.experiments.training.saving import Saves, make_way

IN_HISTOGRAM = 128
"""Episodes whose carried tensors are counted: some thousand numbers, in a few milliseconds."""
CHECKPOINT_SECONDS = 20.0
"""Between two checkpoints in the long run: what a killed run loses at most. The first comes after a
second, see :class:`~metalocus.experiments.training.saving.Saves`."""
REPORT_SECONDS = 0.5
"""Between two reports of progress: as often as a display is read."""
METRICS = (
    *(SCORE, "regret/episode", "regret/trial", "choice/mean", "choice/final"),
    *(f"locus/{store}" for store in STORES),
    *("locus/total", "bayes/total_lost", "bayes/agreement"),
)
"""All that is measured. Every run announces all of it to TensorBoard, whose table of
hyperparameters has the columns of one run alone."""
LAYOUT = {
    "learning": {
        "score: 0 random choice, 1 best reference": ["Multiline", [SCORE]],
        "regret: reward lost in an episode against the best reference": [
            "Multiline",
            ["regret/episode"],
        ],
        "return of the training episodes": ["Multiline", ["rollout/ep_rew_mean"]],
    },
    "within the episode": {
        "choice value: 0 chance, 1 best arm; all trials and the last quarter": [
            "Multiline",
            ["choice/mean", "choice/final"],
        ],
        "knowledge at the last trial, by the store that holds it": ["Multiline", ["locus/.*"]],
    },
    "distance to the optimum": {
        "value lost in an episode": ["Multiline", ["bayes/total_lost"]],
        "probability of a best choice": ["Multiline", ["bayes/agreement"]],
    },
}
"""Charts of TensorBoard's page *Custom scalars*, each with the curves of all chosen runs."""


class Monitor(BaseCallback):
    """Measures at parts 1/2^k of the steps, saves checkpoints, reports progress.

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
        self.figure: AdaptationFigure | None = None
        self.began, self.measuring = (time.process_time(), time.time()), 0.0
        self.before: Mapping[str, float] = {}
        self.places: list[dict[str, Any]] = []
        self.saves, self.reported = Saves(), time.monotonic()

    def resume(self, steps: int, spent: Mapping[str, float], places: list[dict[str, Any]]) -> None:
        """Go on after ``steps``, with the measurements made before.

        Args:
            steps: that were made.
            spent: what they took.
            places: other than here in which they were made.
        """
        self.before, self.places = spent, places
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
        """The last measurement, the settings that led to it, and the states that are carried."""
        self.model = model
        self._measure()
        settings = HParam(hyperparameters(self.config), dict.fromkeys(METRICS, 0.0))  # by name
        self._log({"hparams": settings})
        agent = as_agent(model, self.config)
        write_projector(self.folder, agent, self.config.setting.whole(), SEED)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        """Measure, save and report: between two rollouts a checkpoint holds all of the state."""
        if self.num_timesteps >= self._next_point():
            self._measure()
        if self.saves.due(CHECKPOINT_SECONDS):
            make_way(self.folder)
            identity = {"run": self.config.name}
            places = [*self.places, place(self.config.device)]
            save_checkpoint(self.model, self.folder / CHECKPOINT, self.spent(), identity, places)
            self.saves.saved()
        now = time.monotonic()
        if self.report is not None and now - self.reported > REPORT_SECONDS:
            self.report(self._progress())
            self.reported = now

    def _progress(self) -> Progress:
        """How far the run is, with its return and score of now."""
        ended = self.model.ep_info_buffer or ()
        mean_return = float(np.mean([each["r"] for each in ended])) if ended else None
        scores = [row.value for row in self.results if row.metric == SCORE]
        score = scores[-1] if scores else None
        return Progress(self.num_timesteps, self.config.steps, mean_return, score)

    def _next_point(self) -> float:
        """Steps at which to measure: none, then a part 1/2^k of all that is one rollout or more."""
        if not self.results:
            return 0
        point, done = float(self.config.steps), self.results[-1].step
        while point / 2 > done and point / 2 >= self.config.rollout:
            point /= 2
        return point

    def _measure(self) -> None:
        """Take every measurement on the same held-out episodes, log it and keep it."""
        if not self.results:
            self._lay_out()
        began = time.process_time()
        steps, found = self.model.num_timesteps, measure(self.model, self.config)
        histograms = {f"carried/{name}": torch.from_numpy(x) for name, x in found.carried.items()}
        self._log({**found.metrics, **histograms, "adaptation": self._picture(found, steps)})
        self.measuring += time.process_time() - began
        self.results += [Measurement(steps, name, value) for name, value in found.metrics.items()]
        write_results(self.folder, self.config.name, self.results)

    def _picture(self, found: Found, steps: int) -> Image:
        """The adaptation figure as it is now."""
        if self.figure is None:
            self.figure = AdaptationFigure(found.curves)
        title = f"{self.config.title}, {steps:,} steps"
        return Image(self.figure.image(found.curves[self.config.agent], title), "HWC")

    def _lay_out(self) -> None:
        """Tell TensorBoard which charts to make on the page *Custom scalars*."""
        for each in self.model.logger.output_formats:
            if isinstance(each, TensorBoardOutputFormat):
                each.writer.add_custom_scalars(LAYOUT)

    def _log(self, found: Mapping[str, Any]) -> None:
        """Log at once, without what the model has recorded for its own next log."""
        logger = Logger(None, self.model.logger.output_formats)
        for name, value in found.items():
            logger.record(name, value)
        logger.dump(self.model.num_timesteps)


@dataclass(frozen=True)
class Found:
    """What was measured of a model.

    Attributes:
        metrics: by the names in ``METRICS``.
        curves: choice value by trial, of the agent and of the best reference, which comes last.
        carried: by store and name, what the first episodes carry on from their last trial,
            [N, ...].
    """

    metrics: Mapping[str, float]
    curves: Mapping[str, Sequence[float | None]]
    carried: Mapping[str, Array]


def measure(model: SequencePPO, config: RunConfig) -> Found:
    """All measurements of a model as it is now, on the same episodes.

    A metric that cannot be measured, such as a score where all arms are equal, is left out.

    Raises:
        NonFinite: something that was measured is not finite.
    """
    agent = as_agent(model, config)
    setting, family = config.setting.whole(), agent.layout.family
    best = best_reference(family)
    kind, _cut = HEADLINE.split()
    probes: list[WatchingProbe] = [Locus([family.horizon - 1], [kind])]
    if not best.omniscient:
        probes.append(Optimality())
    with named(agent, setting):
        locus, *near = watched(probes, agent, Chunks(setting, EPISODES, SEED))
    carried = {name: values[:IN_HISTOGRAM] for name, values in agent.carried().items()}
    found = _score_and_regret(locus["expected_return"], setting)
    found |= {
        "choice/mean": _mean(locus["curve"]),
        "choice/final": locus["final"],
        "locus/total": locus["total"][HEADLINE][0],
    }
    found |= {f"locus/{s}": locus["shares"][HEADLINE][s][0] for s in STORES}
    for each in near:
        found |= {"bayes/total_lost": each["total_lost"], "bayes/agreement": each["agreed"]}
    metrics = {name: value for name, value in found.items() if value is not None}
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise NonFinite(f"{name} is {value} after {model.num_timesteps} steps")
    curves = {config.agent: locus["curve"], best.name: _best_curve(setting, EPISODES)}
    return Found(metrics, curves, carried)


def _score_and_regret(mean_return: float, setting: Setting) -> dict[str, float | None]:
    """Score, and what is lost against the best reference in an episode and in a trial."""
    try:
        chance, best = return_bounds(setting, EPISODES, SEED)
    except InvalidTask:  # random choice earns as much as the best reference
        return {}
    lost = best - mean_return
    return {
        SCORE: (mean_return - chance) / (best - chance),
        "regret/episode": lost,
        "regret/trial": lost / setting.family.horizon,
    }


@lru_cache(maxsize=1)
def _best_curve(setting: Setting, episodes: int) -> list[float | None]:
    """Choice value of the best reference by trial; the same at every measurement of a run."""
    curve: list[float | None] = learning_curve(
        best_reference(setting.family), setting, episodes, SEED
    )["curve"]
    return curve


def as_agent(model: SequencePPO, config: RunConfig) -> Watched:
    """A copy of the model's policy as it is now."""
    return Watched(copy.deepcopy(model.policy).cpu(), config.setting.layout)


def hyperparameters(config: RunConfig) -> dict[str, float | str]:
    """Settings by name, the same names for every run.

    What was given to environment, agent and training is one text each; beside these stands every
    argument of agent and training with its value.
    """
    setting, agent = config.setting, TRAINABLES.find(config.agent)
    given = {
        "env_kwargs": setting.kwargs,
        "agent_kwargs": config.agent_kwargs,
        "train_kwargs": shown(config.train_kwargs),
    }
    texts = {
        name: " ".join(f"{argument}={value}" for argument, value in arguments.items())
        for name, arguments in given.items()
    }
    training = config.trainer, shown(config.train_kwargs)
    own = argument_values(agent, setting.layout, config.agent_kwargs, *training)
    return {**config.to_dict(), **texts, **own}


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean of values; None if one of them is None."""
    return None if None in values else float(np.mean(np.array(values)))
