"""What is measured during training: regret, distance to the best reference, locus, progress."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from metalocus.agents.agent import STORES
from metalocus.agents.checkpoint import save_checkpoint
from metalocus.agents.ppo import SequencePPO
from metalocus.agents.trained import TrainedAgent
from metalocus.envs import make_episodes
from metalocus.experiments import runs
from metalocus.experiments.config import RunConfig
from metalocus.experiments.probes.locus import Locus
from metalocus.experiments.probes.optimality import Optimality
from metalocus.experiments.runs import Measurement
from metalocus.experiments.tasks import whole_distribution

EPISODES = 512
SEED = 5_000_000
"""Episodes measured on during training; those reported afterwards have other seeds."""
CHECKPOINT_SECONDS = 20.0
REPORT_SECONDS = 0.5


class Monitor(BaseCallback):
    """Measures at every doubling of the steps, saves a checkpoint now and then, reports progress.

    Measurements go to the model's logger (TensorBoard) and to the run's results.

    Args:
        config: the run.
        folder: its folder.
        report: told the steps done and to do.
    """

    model: SequencePPO

    def __init__(
        self, config: RunConfig, folder: Path, report: Callable[[int, int], None] | None
    ) -> None:
        super().__init__()
        self.config, self.folder, self.report = config, folder, report
        self.results: list[Measurement] = []
        self.next_point = 0
        self.saved = self.reported = time.monotonic()

    def resume(self, steps: int) -> None:
        """Go on after ``steps`` with the measurements made before."""
        if (self.folder / runs.RESULTS).is_file():
            self.results = [row for row in runs.read_results(self.folder) if row.step <= steps]
        self.next_point = 2 * steps

    def finish(self, model: SequencePPO) -> None:
        """The last measurement."""
        self.model = model
        self._measure()

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        """Between two rollouts everything is at rest: the time to measure and to save."""
        if self.num_timesteps >= self.next_point:
            self._measure()
            self.next_point = max(2 * self.num_timesteps, self.model.n_steps * self.model.n_envs)
        now = time.monotonic()
        if now - self.saved > CHECKPOINT_SECONDS:
            save_checkpoint(self.model, self.folder / runs.CHECKPOINT)
            runs.write_results(self.folder, self.results)
            self.saved = now
        if self.report is not None and now - self.reported > REPORT_SECONDS:
            self.report(self.num_timesteps, self.config.steps)
            self.reported = now

    def _measure(self) -> None:
        """Take every measurement on the same held-out episodes, and log it."""
        steps = self.model.num_timesteps
        for metric, value in measure(self.model, self.config).items():
            self.model.logger.record(metric, value)
            self.results.append(Measurement(steps, metric, value))
        self.model.logger.dump(steps)
        runs.write_results(self.folder, self.results)


def measure(model: SequencePPO, config: RunConfig) -> dict[str, float]:
    """``regret/*``, ``bayes/*`` and ``locus/*`` of a model as it is now, by metric."""
    layout = make_episodes(config.env, **config.env_kwargs).layout
    agent = TrainedAgent(copy.deepcopy(model.policy).cpu(), layout)
    kwargs = whole_distribution(config.env_kwargs)
    last = layout.family.horizon - 1
    locus = Locus([last]).run(agent, config.env, kwargs, EPISODES, SEED)
    near = Optimality().run(agent, config.env, kwargs, EPISODES, SEED)
    found = {f"locus/{store}": locus["shares"][store][0] for store in STORES}
    found |= {
        "locus/total": locus["total"][0],
        "regret/score": float(np.mean(locus["curve"])),
        "regret/final_score": locus["final"],
        "bayes/total_lost": near["total_lost"],
        "bayes/agreement": float(np.mean(near["agreement"])),
        "bayes/kl": float(np.mean(near["kl"])),
    }
    return {name: value for name, value in found.items() if value is not None}
