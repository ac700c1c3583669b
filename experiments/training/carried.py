"""What a policy carries through its episodes: for TensorBoard's histograms and its projector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy, Stores
from metalocus.agents.catalogue import best_reference
from metalocus.agents.ppo.files import write_atomically
from metalocus.agents.rollout import Trial, fresh_episodes, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import Setting
from metalocus.experiments.scoring.chunks import named

EPISODES = 32
"""Of the projector."""
TRIALS = 16
"""Trials of each episode that the projector shows: 512 points in all."""
VECTORS, LABELS, PROJECTOR = "states.tsv", "states_labels.tsv", "projector_config.pbtxt"
CONFIG = f"""embeddings {{
  tensor_name: "state"
  tensor_path: "{VECTORS}"
  metadata_path: "{LABELS}"
}}
"""
"""For TensorBoard's projector, which looks for a file of this name in every run."""


class Watched(TrainedAgent):
    """A trained agent that keeps what it carries on from the last trial that it played.

    Attributes:
        last: its stores after that trial.
    """

    last = Stores()

    def learn(self, stores: Stores, *transition: Any) -> Stores:
        """As that of :class:`TrainedAgent`."""
        self.last = super().learn(stores, *transition)
        return self.last

    def carried(self) -> dict[str, Array]:
        """Every tensor that it carried on, but for what it reads again, by store and name."""
        stores = {"state": self.last.state, "weights": self.last.weights}
        return {
            f"{kind}/{key}": array for kind, store in stores.items() for key, array in store.items()
        }


def write_projector(folder: Path, agent: TrainedAgent, setting: Setting, seed: int) -> None:
    """Write the states of an agent, each with its labels, for TensorBoard's projector.

    A row is an episode after the forward pass of a trial. The labels are the trial (from 1),
    the arm that is best for one who knows the task, the choice of the agent, that of the
    best reference on the same history, and for each arm that reference's posterior mean, or its
    value where it keeps no means; and the episode. Of an agent without a state, and of
    episodes of one trial, nothing is written.
    """
    if not agent.start(1, np.random.default_rng(seed)).state:
        return
    best = best_reference(setting.family)
    rows = _Rows(best, setting.family.horizon)
    shadows = () if best.omniscient else (best,)
    with named(agent, setting):
        episodes = fresh_episodes(setting, EPISODES, seed)
        rollout(agent, episodes, seed, shadows=shadows, observe=rows.add)
    if not rows.states:  # of episodes of one trial
        return
    states, labels = np.concatenate(rows.states), np.concatenate(rows.labels)
    write_atomically(folder / VECTORS, _tsv(states).encode())
    write_atomically(folder / LABELS, ("\t".join(rows.names) + "\n" + _tsv(labels)).encode())
    write_atomically(folder / PROJECTOR, CONFIG.encode())


def _tsv(table: Array) -> str:
    """Numbers by row, tabs between them."""
    line = "\t".join(["%.3g"] * table.shape[1]) + "\n"
    return "".join(line % tuple(row) for row in table.tolist())


class _Rows:
    """States and labels, trial by trial; what a trial leaves is seen when the next one begins."""

    def __init__(self, best: ReferencePolicy, horizon: int) -> None:
        self.best = best
        self.shown = set(np.linspace(0, max(horizon - 2, 0), TRIALS).round().astype(int).tolist())
        self.states: list[Array] = []
        self.labels: list[Array] = []
        self.names: list[str] = []
        self._before: Array | None = None

    def add(self, trial: Trial) -> None:
        """Keep what is carried into this trial, with the labels of the trial before."""
        state = trial.stores.state
        if self._before is not None and trial.t - 1 in self.shown and state:
            flat = [array.reshape(len(array), -1) for _, array in sorted(state.items())]
            self.states.append(np.concatenate(flat, axis=1))
            self.labels.append(self._before)
        self._before = self._labels(trial)

    def _labels(self, trial: Trial) -> Array:
        n, arms = trial.privileged_value.shape
        columns = {
            "trial": np.full(n, trial.t + 1),
            "best arm": trial.privileged_value.argmax(axis=1) + 1,
            "choice of the agent": trial.probs.argmax(axis=1) + 1,
        }
        for probs, stores in trial.shadows:
            columns["choice of the best reference"] = probs.argmax(axis=1) + 1
            means = self._means(stores)
            if means is not None:
                columns |= {f"posterior, arm {arm + 1}": means[:, arm] for arm in range(arms)}
        columns["episode"] = np.arange(n)
        self.names = list(columns)
        return np.stack(list(columns.values()), axis=1)

    def _means(self, stores: Stores) -> Array | None:
        """The best reference's posterior mean of every arm, or its value, [N, K]."""
        means: Array | None = getattr(self.best, "posterior_mean", self.best.values)(stores)
        return means
